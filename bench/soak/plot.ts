/** The course of a run as an SVG: one panel a figure, its line of regression, the faults as vertical lines. */
import type { Point } from './trend.js';

interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly points: readonly Point[];
  /** The regression: values at the first and the last of the points that it was made of. */
  readonly line: readonly [Point, Point] | undefined;
}

export interface Mark {
  readonly atS: number;
  readonly what: string;
}

const WIDTH = 900;
const POINTS_MAX = 600;
const PANEL = { height: 130, left: 70, right: 20, top: 24, bottom: 20 };

export function plot(title: string, panels: readonly Panel[], marks: readonly Mark[]): string {
  const endS = Math.max(1, ...panels.flatMap(({ points }) => points.map(({ atS }) => atS)));
  const x = (atS: number) => PANEL.left + (atS / endS) * (WIDTH - PANEL.left - PANEL.right);
  const height = 30 + panels.length * PANEL.height + 20;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="${PANEL.left}" y="18" font-size="14">${escaped(title)}</text>`,
  ];
  panels.forEach((panel, i) => {
    parts.push(`<g transform="translate(0 ${30 + i * PANEL.height})">${panelOf(panel, marks, x)}</g>`);
  });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const atS = share * endS;
    parts.push(
      `<text x="${x(atS).toFixed(1)}" y="${height - 6}" text-anchor="middle">${(atS / 60).toFixed(1)} min</text>`,
    );
  }
  return `${parts.join('\n')}\n</svg>\n`;
}

function panelOf({ title, unit, points, line }: Panel, marks: readonly Mark[], x: (atS: number) => number): string {
  const values = points.map(({ value }) => value).filter(Number.isFinite);
  const top = Math.max(...values, 0) * 1.05 || 1;
  const bottom = PANEL.height - PANEL.bottom;
  const y = (value: number) => bottom - (value / top) * (bottom - PANEL.top);
  const at = ({ atS, value }: Point) => `${x(atS).toFixed(1)},${y(value).toFixed(1)}`;
  const course = thinned(points.filter(({ value }) => Number.isFinite(value)))
    .map(at)
    .join(' ');
  const axis = [0, top / 2, top].map(value => {
    const place = `x="${PANEL.left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end"`;
    return `<text ${place}>${value >= 100 ? value.toFixed(0) : value.toPrecision(2)}</text>`;
  });
  const faults = marks.map(({ atS, what }) => {
    const place = `x1="${x(atS).toFixed(1)}" x2="${x(atS).toFixed(1)}" y1="${PANEL.top}" y2="${bottom}"`;
    return `<line ${place} stroke="#d99" stroke-dasharray="2 2"><title>${escaped(what)}</title></line>`;
  });
  const regression =
    line === undefined ? '' : `<polyline points="${line.map(at).join(' ')}" fill="none" stroke="#c33"/>`;
  return [
    `<text x="${PANEL.left}" y="14">${escaped(title)} (${escaped(unit)})</text>`,
    `<line x1="${PANEL.left}" x2="${WIDTH - PANEL.right}" y1="${bottom}" y2="${bottom}" stroke="#999"/>`,
    ...axis,
    ...faults,
    `<polyline points="${course}" fill="none" stroke="#36c"/>`,
    regression,
  ].join('');
}

/** What a picture can show: of each run of points the highest, so that no peak is lost. */
function thinned(points: readonly Point[]): Point[] {
  const run = Math.ceil(points.length / POINTS_MAX);
  const kept: Point[] = [];
  for (let i = 0; i < points.length; i += run) {
    kept.push(points.slice(i, i + run).reduce((highest, point) => (point.value > highest.value ? point : highest)));
  }
  return kept;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
