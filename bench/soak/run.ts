/** `npm run soak -- --minutes N`: exit code 1 when something grows, a chain is broken, or clients are left. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { plot } from './plot.js';
import { FIGURE_NAMES, FIGURES, pointsOf } from './samples.js';
import { type SoakResult, soak } from './soak.js';

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    churn: { type: 'string', default: '1000' },
    updates: { type: 'string', default: '200' },
    clients: { type: 'string', default: '20' },
    out: { type: 'string', default: RESULTS },
  },
});
const abort = new AbortController();
process.once('SIGINT', () => abort.abort());

const say = (line: string) => process.stdout.write(`${line}\n`);
const result = await soak({
  minutes: Number(values.minutes),
  churnPerSecond: Number(values.churn),
  updatesPerSecond: Number(values.updates),
  clients: Number(values.clients),
  signal: abort.signal,
  say,
});
mkdirSync(values.out, { recursive: true });
writeFileSync(`${values.out}/soak.json`, JSON.stringify(result));
writeFileSync(`${values.out}/soak.svg`, picture(result));
for (const { name, trend, isGrowing } of result.figures) {
  const { title, unit } = FIGURES[name];
  const sure = Number.isFinite(trend.growthAtLeast) ? trend.growthAtLeast.toFixed(2) : 'nothing';
  say(
    `${title}: mean ${trend.mean.toFixed(1)} ${unit}, line rises by ${trend.growth.toFixed(2)}, surely by ${sure}${isGrowing ? ': GROWS' : ''}`,
  );
}
const { asked, accepted, refused, failed, skipped } = result.churn;
say(`churn: ${asked} asked, ${accepted} accepted, ${refused} refused, ${failed} failed, ${skipped} not begun`);
say(`steady: ${result.received} messages, ${result.gaps} gaps announced, ${result.reconnects} reconnects`);
for (const problem of result.problems) say(`PROBLEM ${problem}`);
process.exitCode = result.problems.length > 0 ? 1 : 0;

function picture({ samples, warmUpS, faults, figures, churn, minutes }: SoakResult): string {
  const panels = FIGURE_NAMES.map(name => {
    const { title, unit } = FIGURES[name];
    const trend = figures.find(figure => figure.name === name)?.trend;
    const judged = pointsOf(samples, name, warmUpS).filter(({ value }) => Number.isFinite(value));
    const [first, last] = [judged[0], judged.at(-1)];
    const isLine = trend !== undefined && first !== undefined && last !== undefined;
    const line = isLine
      ? ([
          { atS: first.atS, value: trend.mean - trend.growth / 2 },
          { atS: last.atS, value: trend.mean + trend.growth / 2 },
        ] as const)
      : undefined;
    return { title, unit, points: pointsOf(samples, name, 0), line };
  });
  return plot(`${minutes} minutes, ${churn.accepted} clients came and went; dashed: faults`, panels, faults);
}
