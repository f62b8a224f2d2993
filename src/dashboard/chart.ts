/** A chart of the last minutes. Its caption says in words what the newest sample, or the one under the pointer, shows. */
import uPlot from 'uplot';
import type { Sample } from '../protocol/admin-rows.js';
import { element, setText } from './dom.js';
import { timeOfDay, UNKNOWN } from './format.js';
import type { History } from './history.js';

const HEIGHT = 120;
const FONT = '11px system-ui, sans-serif';
const WIDTH_MIN = 120;
/** Distances of the labels of the time axis, in seconds. */
const TIME_STEPS = [10, 15, 30, 60, 120, 180, 300];
/** All charts show the same instant under the pointer. */
const SYNC_KEY = 'time';

interface Line {
  readonly label: string;
  readonly pick: (sample: Sample) => number | null | undefined;
}

interface ChartOptions {
  readonly title: string;
  readonly lines: readonly Line[];
  /** A value with its unit. */
  readonly format: (value: number | null | undefined) => string;
  /** The axis reaches at least this far. */
  readonly atLeast: number;
}

/** From the custom properties of base.css, so that it follows the colour scheme. */
const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name);
const seriesColour = (index: number) => `--series-${(index % 4) + 1}`;

export class Chart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #plot: uPlot;
  readonly #figures: readonly HTMLElement[];
  readonly #canvas = element('div', { class: 'canvas' });
  readonly #resize: ResizeObserver;
  #range: [number, number] = [0, 1];
  #values: (number | null)[][] = [];

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#figures = options.lines.map(() => element('b', { text: UNKNOWN }));
    const legend = options.lines.map(({ label }, i) => {
      const name = document.createTextNode(label === '' ? '' : `${label} `);
      const swatch = element('i', { class: `swatch series-${(i % 4) + 1}` });
      const figure = this.#figures[i] as Node;
      return element('span', {}, ...(label === '' ? [figure] : [swatch, name, figure]));
    });
    const caption = element('figcaption', {}, element('h3', { text: options.title }), element('p', {}, ...legend));
    this.element = element('figure', { class: 'panel chart' }, caption, this.#canvas);
    this.#canvas.setAttribute('aria-hidden', 'true');
    this.#plot = new uPlot(this.#plotOptions(), [[], ...options.lines.map(() => [])], this.#canvas);
    this.#resize = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width >= WIDTH_MIN && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
    });
    this.#resize.observe(this.#canvas);
  }

  /** Shows this part of the history. @param range of the x axis, seconds since the Unix epoch */
  update(history: History, range: [number, number]): void {
    this.#range = range;
    this.#values = this.#options.lines.map(({ pick }) => history.values(pick));
    this.#plot.setData([history.times, ...this.#values]);
    this.#describe();
  }

  destroy(): void {
    this.#resize.disconnect();
    this.#plot.destroy();
  }

  #describe(): void {
    const at = this.#plot.cursor.idx;
    this.#figures.forEach((figure, i) => {
      const values = this.#values[i] ?? [];
      setText(figure, this.#options.format(values[at ?? values.length - 1]));
    });
  }

  #plotOptions(): uPlot.Options {
    const { lines, format, atLeast } = this.#options;
    const axis = {
      stroke: () => colour('--muted'),
      grid: { stroke: () => colour('--grid'), width: 1 },
      ticks: { show: false },
      font: FONT,
    };
    return {
      width: 300,
      height: HEIGHT,
      padding: [10, 10, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: SYNC_KEY }, drag: { x: false, y: false }, y: false, points: { size: 5 } },
      scales: {
        x: { time: true, range: () => this.#range },
        y: { range: (_plot, _min, max) => [0, Math.max(atLeast, (max ?? 0) * 1.08)] },
      },
      axes: [
        { ...axis, size: 24, space: 50, incrs: TIME_STEPS, values: (_plot, splits) => clockTexts(splits) },
        {
          ...axis,
          size: 62,
          space: 28,
          values: (_plot, splits) => splits.map(value => format(value).replace(/\.0+(?= |$)/, '')),
        },
      ],
      series: [
        {},
        ...lines.map(({ label }, i) => ({
          label,
          stroke: () => colour(seriesColour(i)),
          width: 1.5,
          // An outage stays a hole.
          spanGaps: false,
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [() => this.#describe()] },
    };
  }
}

/** The reader's time of day, with seconds where the labels are less than a minute apart. */
function clockTexts(splits: readonly number[]): string[] {
  const hasSeconds = splits.some(seconds => seconds % 60 !== 0);
  return splits.map(seconds => timeOfDay(new Date(seconds * 1000)).slice(0, hasSeconds ? 8 : 5));
}
