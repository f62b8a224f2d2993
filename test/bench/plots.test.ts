/** @module-tag slow */
import { describe, expect, it } from 'vitest';
import { barChart } from '../../bench/report/bar-chart.js';
import { lineChart } from '../../bench/report/line-chart.js';
import { linearScale, logScale } from '../../bench/report/scale.js';

/** Attribute `name` of every element `tag` in the document. */
function attributes(svg: string, tag: string, name: string): number[] {
  return [...svg.matchAll(new RegExp(`<${tag} [^>]*\\b${name}="([^"]+)"`, 'g'))].map(match => Number(match[1]));
}

describe('R56: plots', () => {
  it('mark an axis with round numbers from 0 to beyond the largest value', () => {
    expect(linearScale(0, 5_590_000).ticks).toEqual([0, 2e6, 4e6, 6e6]);
    expect(linearScale(0, 0.93).ticks.at(-1)).toBeCloseTo(1);
    expect(linearScale(0, 10).at(5)).toBeCloseTo(0.5);
    expect(linearScale(0, 10).at(50)).toBe(1);
    expect(linearScale(0, 0).at(0)).toBe(0);
  });

  it('mark a logarithmic axis with powers of ten', () => {
    expect(logScale(70_000, 5e6).ticks).toEqual([1e4, 1e5, 1e6, 1e7]);
    expect(logScale(30, 400).ticks).toEqual([10, 20, 50, 100, 200, 500, 1000]);
    expect(logScale(1, 100).at(10)).toBeCloseTo(0.5);
    expect(() => logScale(0, 10)).toThrow(RangeError);
  });

  it('draw bars in proportion, with whiskers from the smallest to the largest round', () => {
    const rows = [
      { label: 'a', median: 100, min: 80, max: 120, isSubject: true },
      { label: 'b <&> c', median: 50, min: 50, max: 50 },
      { label: 'not measurable', median: Number.NaN, min: Number.NaN, max: Number.NaN },
    ];
    const svg = barChart({ title: 'Fan-out', unit: 'deliveries/s', rows });
    const [, long, short] = attributes(svg, 'rect', 'width');
    expect((short ?? 0) / (long ?? 1)).toBeCloseTo(0.5, 2);
    expect(attributes(svg, 'rect', 'width')).toHaveLength(3);
    expect(svg).toContain('b &lt;&amp;&gt; c');
    expect(svg).not.toContain('NaN');
    const whisker = [...svg.matchAll(/x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="\2" stroke="#1f2933"/g)];
    expect(whisker).toHaveLength(1);
    const [from, to] = [Number(whisker[0]?.[1]), Number(whisker[0]?.[3])];
    expect((to - from) / (long ?? 1)).toBeCloseTo(0.4, 2);
  });

  it('draw curves through their points, on logarithmic axes too, and leave out what has no place there', () => {
    const points = [0, 1, 10, 100].map(x => ({ x, y: x * 2, min: x, max: x * 3 }));
    const svg = lineChart({
      title: 'Cost',
      xLabel: 'connections',
      yLabel: 'MB',
      xLog: true,
      yLog: true,
      series: [
        { name: 'measured', points },
        { name: 'fit', points, isFit: true },
      ],
    });
    const [a, b, c, none] = attributes(svg, 'circle', 'cx');
    expect(none).toBeUndefined();
    expect((c ?? 0) - (b ?? 0)).toBeCloseTo((b ?? 0) - (a ?? 0), 0);
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).not.toContain('NaN');
  });

  it('stand without any value', () => {
    expect(barChart({ title: 'none', unit: '', rows: [], isLog: true })).toContain('</svg>');
    expect(lineChart({ title: 'none', xLabel: '', yLabel: '', series: [] })).toContain('</svg>');
  });
});
