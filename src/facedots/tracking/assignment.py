"""Who is who: pairs of rows and columns with the least total cost."""

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import check_shape


def assign(costs: ArrayLike, limit: float) -> list[tuple[int, int]]:
    """As many pairs as the limit allows, no row and no column twice; of those choices, one with the
    least total cost.

    The Hungarian method with potentials (Kuhn 1955, Munkres 1957), O(n³).

    Args:
        costs: ``(R, C)``, at least 0.
        limit: A pair that costs more is never made; infinite costs are allowed.

    Returns:
        Pairs (row, column), by row.

    >>> assign([[1, 2], [1, 9]], limit=5)
    [(0, 1), (1, 0)]
    >>> assign([[1, 2], [1, 9]], limit=1.5)
    [(0, 0)]
    """
    table = np.asarray(check_shape(costs, "R C", "costs"), np.float64)
    rows, columns = table.shape
    size = max(rows, columns)
    # A pair that is not allowed costs more than all that are, so that one is made only where
    # nothing else is left.
    padded = np.full((size, size), (size + 1) * (limit + 1))
    allowed = table <= limit
    padded[:rows, :columns][allowed] = table[allowed]
    row_of = _solve(padded)
    pairs = (
        (row, column)
        for column, row in enumerate(row_of)
        if row < rows and column < columns and allowed[row, column]
    )
    return sorted(pairs)


def _solve(costs: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[int]:
    """For each column of a square table its row in an assignment of least total cost."""
    size = len(costs)
    row_price, column_price = np.zeros(size), np.zeros(size)
    row_of = [-1] * size
    for new_row in range(size):
        # Dijkstra from the new row to the nearest free column, over costs that the prices make
        # non-negative.
        distance, before = np.full(size, np.inf), [-1] * size
        visited = np.zeros(size, bool)
        row, column = new_row, -1
        reached = 0.0
        while row != -1:
            through = reached + costs[row] - row_price[row] - column_price
            nearer = ~visited & (through < distance)
            distance[nearer] = through[nearer]
            for other in np.flatnonzero(nearer):
                before[other] = column
            column = int(np.argmin(np.where(visited, np.inf, distance)))
            visited[column], reached, row = True, float(distance[column]), row_of[column]
        visited[column] = False
        for other in np.flatnonzero(visited):
            row_price[row_of[other]] += reached - distance[other]
            column_price[other] -= reached - distance[other]
        row_price[new_row] += reached
        while column != -1:  # Every column on the way takes over the row of the one before it.
            previous = before[column]
            row_of[column] = row_of[previous] if previous != -1 else new_row
            column = previous
    return row_of
