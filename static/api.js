// The REST API from the page: JSON in, JSON out, problem+json as an exception that a person can read.

export class Failure extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

export async function call(method, path, { body, headers, signal } = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers }, signal };
  if (body instanceof FormData || body instanceof Blob) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch("/api/v1" + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, { detail: "The server can't be reached. Is it still running?" });
  }
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    if (response.ok) throw new Failure(response.status, { detail: "The server's answer can't be read." });
  }
  if (!response.ok) throw new Failure(response.status, value || { detail: text.slice(0, 200) });
  return value;
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, headers) => call("POST", path, { body, headers });
export const put = (path, body, headers) => call("PUT", path, { body, headers });

// A page of ours, parsed; its parts can be moved into this one.
export async function pageOf(url, signal) {
  const response = await fetch(url, { headers: { Accept: "text/html" }, signal });
  if (!response.ok) throw new Failure(response.status, { detail: `The page can't be loaded (${response.status}).` });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}
