// Keys act in the order in which they were pressed: what was meant for the sample that comes waits until it is there.

let under = null;

// ``run``, which goes on to another sample, waits for ``promise``; all else waits for both.
export function hold(promise, run) {
  const done = promise.then(run);
  under ??= done.catch(() => {}).then(() => (under = null));
  return done;
}

// Now, or after what is waited for.
export const inTurn = (run) => (under ? under.then(() => inTurn(run)) : run());
