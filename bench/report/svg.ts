/** The few SVG elements that the plots are made of. */

const FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"';
export const INK = '#1f2933';
export const FAINT_INK = '#616e7c';
export const GRID = '#e4e7eb';
/** The subject of a comparison, and what it is compared with. */
export const ACCENT = '#0b69a3';
export const OTHERS = '#9aa5b1';
/** Told apart by readers who see colours differently, too (Okabe and Ito). */
export const SERIES_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#4b5563', '#a16207'];

type Attributes = Readonly<Record<string, string | number>>;

export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === 'number' ? place(value) : value}"`,
  );
  return content === '' ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${content}</${name}>`;
}

interface TextStyle {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly size?: number;
  readonly fill?: string;
  readonly weight?: number;
  readonly rotate?: number;
}

export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { anchor = 'start', size = 12, fill = INK, weight = 400, rotate } = style;
  const turned = rotate === undefined ? {} : { transform: `rotate(${rotate} ${place(x)} ${place(y)})` };
  const attributes = { x, y, 'text-anchor': anchor, 'font-size': size, 'font-weight': weight, fill, ...turned };
  return element('text', attributes, escaped(content));
}

export function line(
  from: readonly [number, number],
  to: readonly [number, number],
  stroke: string,
  width = 1,
): string {
  return element('line', { x1: from[0], y1: from[1], x2: to[0], y2: to[1], stroke, 'stroke-width': width });
}

/** A whole document on white, so that it is readable on a dark page as well. */
export function svg(width: number, height: number, title: string, parts: readonly string[]): string {
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ${FONT}>`;
  const ground = element('rect', { width, height, fill: '#ffffff' });
  return `${[open, `<title>${escaped(title)}</title>`, ground, ...parts, '</svg>'].join('\n')}\n`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Tenths of a pixel are enough. */
function place(value: number): string {
  return String(Math.round(value * 10) / 10);
}
