"""Disjoint sets of 0..n-1, with the weight of each."""


class Unions:
    """Union-find (Tarjan) with path halving; the smallest number of a set stands for it."""

    def __init__(self, weights: list[int]) -> None:
        self._parent = list(range(len(weights)))
        self.weight = list(weights)

    def root(self, one: int) -> int:
        while self._parent[one] != one:
            self._parent[one] = self._parent[self._parent[one]]
            one = self._parent[one]
        return one

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        if low != high:
            self._parent[high] = low
            self.weight[low] += self.weight[high]

    def sets(self) -> dict[int, list[int]]:
        """Members of each set by its smallest."""
        out: dict[int, list[int]] = {}
        for one in range(len(self._parent)):
            out.setdefault(self.root(one), []).append(one)
        return out
