/** Axes of the plots: from values to places, and the marks on the way. */

export interface Scale {
  /** Values worth a mark, smallest first. */
  readonly ticks: readonly number[];
  /** Place of a value, between 0 and 1; values outside the axis are put at its end. */
  at(value: number): number;
}

const TICKS_WANTED = 5;
const STEPS = [1, 2, 2.5, 5, 10];
/** Marks between two powers of ten: only as long as an axis has few of them. */
const FEW_DECADES = 2;

/** From 0 (or below, where values are negative) to a round number above `largest`. */
export function linearScale(smallest: number, largest: number): Scale {
  const low = Math.min(0, smallest);
  const span = largest > low ? largest - low : 1;
  const power = 10 ** Math.floor(Math.log10(span / TICKS_WANTED));
  const step = (STEPS.find(factor => factor * power * TICKS_WANTED >= span) ?? 10) * power;
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil((low + span) / step - 1e-9)];
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  return { ticks, at: value => clamp((value / step - first) / (last - first)) };
}

/** Powers of ten around values above 0; with few of them also 2 and 5 times each. */
export function logScale(smallest: number, largest: number): Scale {
  if (!(smallest > 0)) throw new RangeError(`a logarithmic axis cannot show ${smallest}`);
  const first = Math.floor(Math.log10(smallest) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(largest) - 1e-9));
  const marks = last - first <= FEW_DECADES ? [1, 2, 5] : [1];
  const decades = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  const ticks = decades.flatMap(decade => marks.map(mark => mark * decade)).filter(tick => tick <= 10 ** last);
  return { ticks, at: value => (value > 0 ? clamp((Math.log10(value) - first) / (last - first)) : 0) };
}

function clamp(place: number): number {
  return Math.min(1, Math.max(0, place));
}
