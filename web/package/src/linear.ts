/** Small systems of linear equations, and the assignment problem. */

import { sum, type Point } from "./geometry";

/** The solution x of A x = b by elimination with pivots; null where A is singular. */
export function solve(a: readonly (readonly number[])[], b: readonly number[]): number[] | null {
  const rows = a.map((row, i) => [...row, b[i]]);
  const size = rows.length;
  for (let i = 0; i < size; i++) {
    let pivot = i;
    for (let j = i + 1; j < size; j++) {
      if (Math.abs(rows[j][i]) > Math.abs(rows[pivot][i])) pivot = j;
    }
    if (!rows[pivot][i]) return null;
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    for (let j = i + 1; j < size; j++) {
      const factor = rows[j][i] / rows[i][i];
      for (let k = i; k <= size; k++) rows[j][k] -= factor * rows[i][k];
    }
  }
  const x = new Array<number>(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    const known = sum(rows[i].slice(i + 1, size).map((value, k) => value * x[i + 1 + k]));
    x[i] = (rows[i][size] - known) / rows[i][i];
  }
  return x.every(Number.isFinite) ? x : null;
}

/**
 * The rows x and y for which design x and design y are nearest to the coordinates of targets (least
 * squares); null where the design is singular.
 */
export function fitRows(
  design: readonly (readonly number[])[],
  targets: readonly Point[],
): [x: number[], y: number[]] | null {
  const columns = design[0].map((_, i) => i);
  const squares = columns.map((i) => columns.map((j) => sum(design.map((row) => row[i] * row[j]))));
  const row = (axis: 0 | 1) =>
    solve(
      squares,
      columns.map((i) => sum(design.map((one, k) => one[i] * targets[k][axis]))),
    );
  const [x, y] = [row(0), row(1)];
  return x && y && [x, y];
}

/**
 * As many pairs (row, column) as `limit` allows, at the least total cost: Kuhn and Munkres'
 * shortest augmenting paths. Costs are at least 0, infinite where a pair is impossible.
 */
export function assign(costs: readonly (readonly number[])[], limit: number): [number, number][] {
  const size = Math.max(costs.length, costs[0]?.length ?? 0);
  // A forbidden pair costs more than all allowed ones, so it is chosen only where none is left.
  const forbidden = (size + 1) * (limit + 1);
  const cost = (row: number, column: number) => {
    const value = costs[row]?.[column] ?? Infinity;
    return value <= limit ? value : forbidden;
  };
  const [rowPrice, columnPrice] = [
    new Array<number>(size).fill(0),
    new Array<number>(size).fill(0),
  ];
  const rowOf = new Array<number>(size).fill(-1);
  for (let first = 0; first < size; first++) {
    const slack = new Array<number>(size).fill(Infinity);
    const previous = new Array<number>(size).fill(-1);
    const done = new Set<number>();
    let [row, column] = [first, -1];
    while (row >= 0) {
      let next = -1;
      for (let j = 0; j < size; j++) {
        if (done.has(j)) continue;
        const reduced = cost(row, j) - rowPrice[row] - columnPrice[j];
        if (reduced < slack[j]) [slack[j], previous[j]] = [reduced, column];
        if (next < 0 || slack[j] < slack[next]) next = j;
      }
      const step = slack[next];
      rowPrice[first] += step;
      for (let j = 0; j < size; j++) {
        if (!done.has(j)) slack[j] -= step;
        else {
          rowPrice[rowOf[j]] += step;
          columnPrice[j] -= step;
        }
      }
      done.add(next);
      column = next;
      row = rowOf[column];
    }
    while (column >= 0) {
      const before = previous[column];
      rowOf[column] = before >= 0 ? rowOf[before] : first;
      column = before;
    }
  }
  return rowOf
    .map((row, column): [number, number] => [row, column])
    .filter(([row, column]) => (costs[row]?.[column] ?? Infinity) <= limit)
    .sort((a, b) => a[0] - b[0]);
}
