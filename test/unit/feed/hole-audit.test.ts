import { expect, it } from 'vitest';
import { HoleAudit } from '../../../src/feed/hole-audit.js';
import { until } from '../../support/until.js';

function audited(newest: Readonly<Record<string, number>>, lastSeq: number) {
  const position = { holeSeq: 0, lastSeq };
  let asked = 0;
  const audit = new HoleAudit({
    position: () => position,
    newestOf: async subject => {
      asked++;
      return newest[subject];
    },
  });
  for (const subject of ['md.trades.A', 'md.trades.B', 'md.trades.C']) audit.holeOf(subject, 0);
  return { audit, position, asked: () => asked };
}

it('K10: a subject whose newest message was read before the hole lost nothing in it; the others may have', async () => {
  // B has one that is still on its way here, C none any more.
  const { audit, position, asked } = audited({ 'md.trades.A': 5, 'md.trades.B': 31 }, 30);
  position.holeSeq = 20;
  audit.start();
  await until(() => asked() === 3);
  await new Promise(resolve => setImmediate(resolve));
  expect(audit.holeOf('md.trades.A', 20)).toBe(0);
  expect(audit.holeOf('md.trades.B', 20)).toBe(20);
  expect(audit.holeOf('md.trades.C', 20)).toBe(20);
  expect(audit.holeOf('md.trades.D', 20)).toBe(20);
  // Of a later hole that says nothing.
  expect(audit.holeOf('md.trades.A', 40)).toBe(40);
});

it('K10: holes that come during an audit are asked about in the next one', async () => {
  const { audit, position, asked } = audited({ 'md.trades.A': 5 }, 30);
  position.holeSeq = 20;
  audit.start();
  position.holeSeq = 25;
  audit.start();
  await until(() => asked() === 6);
  await new Promise(resolve => setImmediate(resolve));
  expect(audit.holeOf('md.trades.A', 25)).toBe(0);
});
