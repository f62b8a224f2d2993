/** Horizontal bars with whiskers from the smallest to the largest round. */
import { count } from './figures.js';
import { linearScale, logScale } from './scale.js';
import type { Spread } from './statistics.js';
import { ACCENT, element, FAINT_INK, GRID, INK, line, OTHERS, svg, text } from './svg.js';

interface Bar extends Spread {
  readonly label: string;
  /** The subject of the comparison: drawn in colour. */
  readonly isSubject?: boolean;
  /** Bars with the same group stand together under its name. */
  readonly group?: string;
}

interface BarChart {
  readonly title: string;
  /** What the axis counts, e.g. `deliveries/s`. */
  readonly unit: string;
  /** From top to bottom; a bar whose median is no number is left out. */
  readonly rows: readonly Bar[];
  /** A logarithmic axis, for peers that are decades apart. All values must be above 0. */
  readonly isLog?: boolean;
  /** How a value is written; default: `2.41 M`, `318 k`, `950`. */
  readonly show?: (value: number) => string;
}

const WIDTH = 760;
const LABELS = 150;
const FIGURES = 80;
const TOP = 48;
const ROW = 24;
const BAR = 14;
const GROUP = 26;
const BOTTOM = 46;
const WHISKER = 8;
/** What a bar may rise from on a logarithmic axis, as a share of the smallest value. */
const LOG_ROOT = 0.5;

export function barChart({ title, unit, rows, isLog = false, show = count }: BarChart): string {
  const bars = rows.filter(({ median }) => Number.isFinite(median) && (!isLog || median > 0));
  const largest = Math.max(0, ...bars.map(({ max }) => max));
  const smallest = Math.min(...bars.map(({ min, median }) => (isLog && min <= 0 ? median : min)));
  const scale = isLog && bars.length > 0 ? logScale(smallest * LOG_ROOT, largest) : linearScale(0, largest);
  const x = (value: number): number => LABELS + scale.at(value) * (WIDTH - LABELS - FIGURES);

  const parts: string[] = [];
  let y = TOP;
  let group: string | undefined;
  for (const bar of bars) {
    if (bar.group !== undefined && bar.group !== group) {
      parts.push(text(16, y + GROUP - 9, bar.group, { size: 12, weight: 600, fill: FAINT_INK }));
      y += GROUP;
    }
    group = bar.group;
    parts.push(...drawBar(bar, y, x, show));
    y += ROW;
  }
  const grid = scale.ticks.flatMap(tick => [
    line([x(tick), TOP - 4], [x(tick), y + 4], GRID),
    text(x(tick), y + 20, show(tick), { anchor: 'middle', size: 11, fill: FAINT_INK }),
  ]);
  const axis = isLog ? `${unit} (logarithmic)` : unit;
  return svg(WIDTH, y + BOTTOM, title, [
    text(16, 26, title, { size: 15, weight: 600 }),
    ...grid,
    ...parts,
    text((LABELS + WIDTH - FIGURES) / 2, y + 38, axis, { anchor: 'middle', size: 11, fill: FAINT_INK }),
  ]);
}

function drawBar(bar: Bar, y: number, x: (value: number) => number, show: (value: number) => string): string[] {
  const { label, median, min, max, isSubject = false } = bar;
  const middle = y + ROW / 2;
  const left = LABELS;
  const length = Math.max(1, x(median) - left);
  const fill = isSubject ? ACCENT : OTHERS;
  return [
    text(left - 8, middle + 4, label, { anchor: 'end', weight: isSubject ? 600 : 400 }),
    element('rect', { x: left, y: middle - BAR / 2, width: length, height: BAR, rx: 2, fill }),
    ...(max > min
      ? [
          line([x(min), middle], [x(max), middle], INK),
          ...[min, max].map(end => line([x(end), middle - WHISKER / 2], [x(end), middle + WHISKER / 2], INK)),
        ]
      : []),
    text(Math.max(x(max), left + length) + 6, middle + 4, show(median), { size: 11 }),
  ];
}
