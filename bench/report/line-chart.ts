/** Curves over a common axis, each value with its whisker where it has one. */
import { count } from './figures.js';
import { linearScale, logScale, type Scale } from './scale.js';
import { element, FAINT_INK, GRID, line, SERIES_COLOURS, svg, text } from './svg.js';

interface Point {
  readonly x: number;
  readonly y: number;
  readonly min?: number;
  readonly max?: number;
}

interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Drawn dashed and without dots, e.g. a fitted line or a goal. */
  readonly isFit?: boolean;
}

interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  readonly xLog?: boolean;
  readonly yLog?: boolean;
  readonly showX?: (value: number) => string;
  readonly showY?: (value: number) => string;
}

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 80;
const RIGHT = 24;
const TOP = 48;
const LEGEND_ROW = 18;
const LEGEND_COLUMNS = 4;
const BOTTOM = 56;
const DOT = 3;

type Place = (value: number) => number;

export function lineChart(chart: LineChart): string {
  const { title, xLabel, yLabel, series, xLog = false, yLog = false, showX = count, showY = count } = chart;
  const points = series.flatMap(one => one.points).filter(point => isShown(point, xLog, yLog));
  const xScale = scaleOf(
    points.map(({ x }) => x),
    xLog,
  );
  const yScale = scaleOf(
    points.flatMap(({ y, min = y, max = y }) => [min, y, max]).filter(v => !yLog || v > 0),
    yLog,
  );
  const top = TOP + Math.ceil(series.length / LEGEND_COLUMNS) * LEGEND_ROW;
  const x: Place = value => LEFT + xScale.at(value) * (WIDTH - LEFT - RIGHT);
  const y: Place = value => HEIGHT - BOTTOM - yScale.at(value) * (HEIGHT - BOTTOM - top);
  const grid = [
    ...xScale.ticks.flatMap(tick => [
      line([x(tick), top], [x(tick), HEIGHT - BOTTOM], GRID),
      text(x(tick), HEIGHT - BOTTOM + 18, showX(tick), { anchor: 'middle', size: 11, fill: FAINT_INK }),
    ]),
    ...yScale.ticks.flatMap(tick => [
      line([LEFT, y(tick)], [WIDTH - RIGHT, y(tick)], GRID),
      text(LEFT - 8, y(tick) + 4, showY(tick), { anchor: 'end', size: 11, fill: FAINT_INK }),
    ]),
  ];
  return svg(WIDTH, HEIGHT, title, [
    text(16, 26, title, { size: 15, weight: 600 }),
    ...grid,
    ...series.flatMap((one, index) => drawLegend(one, index)),
    ...series.flatMap((one, index) =>
      drawSeries({ ...one, points: one.points.filter(point => isShown(point, xLog, yLog)) }, colour(index), x, y),
    ),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, xLabel, { anchor: 'middle', size: 12, fill: FAINT_INK }),
    text(18, (top + HEIGHT - BOTTOM) / 2, yLabel, { anchor: 'middle', size: 12, fill: FAINT_INK, rotate: -90 }),
  ]);
}

function scaleOf(values: readonly number[], isLog: boolean): Scale {
  if (values.length === 0) return linearScale(0, 1);
  const [smallest, largest] = [Math.min(...values), Math.max(...values)];
  return isLog ? logScale(smallest, largest) : linearScale(smallest, largest);
}

/** What has no place on the axes is left out. */
function isShown({ x, y }: Point, xLog: boolean, yLog: boolean): boolean {
  return Number.isFinite(x) && Number.isFinite(y) && (!xLog || x > 0) && (!yLog || y > 0);
}

function colour(index: number): string {
  return SERIES_COLOURS[index % SERIES_COLOURS.length] ?? FAINT_INK;
}

function drawLegend({ name, isFit = false }: Series, index: number): string[] {
  const left = LEFT + (index % LEGEND_COLUMNS) * ((WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS);
  const middle = TOP - 8 + Math.floor(index / LEGEND_COLUMNS) * LEGEND_ROW;
  const dashes = isFit ? { 'stroke-dasharray': '5 4' } : {};
  const stroke = { stroke: colour(index), 'stroke-width': 2, ...dashes };
  return [
    element('line', { x1: left, y1: middle, x2: left + 18, y2: middle, ...stroke }),
    text(left + 24, middle + 4, name, { size: 11 }),
  ];
}

function drawSeries({ points, isFit = false }: Series, stroke: string, x: Place, y: Place): string[] {
  const corners = points.map(point => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ');
  const dashes = isFit ? { 'stroke-dasharray': '5 4' } : {};
  const curve = element('polyline', { points: corners, fill: 'none', stroke, 'stroke-width': 2, ...dashes });
  if (isFit) return [curve];
  const marks = points.flatMap(point => [
    ...(point.min === undefined || point.max === undefined
      ? []
      : [line([x(point.x), y(point.min)], [x(point.x), y(point.max)], stroke)]),
    element('circle', { cx: x(point.x), cy: y(point.y), r: DOT, fill: stroke }),
  ]);
  return [curve, ...marks];
}
