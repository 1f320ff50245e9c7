"""What executors have in common that leave evaluations to another one."""

from netstitch.optimization.executor import Executor


class DelegatingExecutor:
    """Is as large and as busy as another executor, and ends with it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def capacity(self) -> int:
        return self._executor.capacity

    @property
    def workers(self) -> int:
        return self._executor.workers

    def busy(self) -> float:
        return self._executor.busy()

    def cancel(self) -> None:
        self._forget()
        self._executor.cancel()

    def close(self) -> None:
        self._forget()
        self._executor.close()

    def _forget(self) -> None:
        """Drop what is held of evaluations under way."""
        raise NotImplementedError
