"""Background work: which flow a job runs, who runs it, how it is followed.

A flow that needs work writes a job row in its own transaction; a worker, or the command line in its own process, takes
it from there. Only ``engine`` loads the job engine, which takes a third of a second.
"""

from app.jobs.running import JobFailed, run, run_here, see_done

__all__ = ["JobFailed", "run", "run_here", "see_done"]
