/** R70: what the journal cannot vouch for is neither shown as sent nor confirmed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deliveries } from '../../../src/journal/deliveries.js';

const VIEW = { topic: 'quotes:A', class: 'realtime', format: 'json' };
type Members = Readonly<Record<string, unknown>>;

function told(records: readonly Members[]) {
  const deliveries = new Deliveries('c1', 'quotes:A', 100);
  for (const record of records) {
    deliveries.take({ t: Number(record.t), record, line: Buffer.from(JSON.stringify(record)) });
  }
  return {
    dropped: deliveries.dropped,
    sent: deliveries.all.map(({ seq, isConfirmed }) => (isConfirmed ? `${seq} confirmed` : `${seq}`)),
  };
}

const connected = { t: 1, k: 'connected', c: 'c1', w: 0 };
const live = (t: number) => ({ t, k: 'live', c: 'c1', w: 0, ...VIEW });
const emit = (t: number, seq: number) => ({ t, k: 'emit', w: 0, ...VIEW, epoch: 'e', runs: [[seq - 1, seq]] });
const confirmed = (t: number, at: number) => ({ t, k: 'confirmed', c: 'c1', at });
const dropped = (t: number) => ({ t, k: 'dropped', w: 0, records: 3 });

describe('deliveries (R70)', () => {
  it('are confirmed by the answer to a later ping', () => {
    const { sent } = told([connected, live(2), emit(10, 1), emit(20, 2), confirmed(17, 15)]);
    expect(sent).toEqual(['1 confirmed', '2']);
  });

  it('are not confirmed by a ping from before the clock was set back', () => {
    const { sent } = told([connected, live(2), emit(1000, 1), emit(500, 2), confirmed(600, 1001)]);
    expect(sent).toEqual(['1', '2']);
    const later = told([connected, live(2), emit(1000, 1), emit(500, 2), confirmed(600, 1001), confirmed(1100, 1050)]);
    expect(later.sent).toEqual(['1 confirmed', '2 confirmed']);
  });

  it('end where records of the thread were lost: the end of the subscription may be among them', () => {
    const records = [
      connected,
      live(2),
      emit(10, 1),
      dropped(11),
      emit(12, 2),
      live(13),
      emit(14, 3),
      confirmed(20, 19),
    ];
    expect(told(records)).toEqual({ dropped: 3, sent: ['1', '3 confirmed'] });
  });

  it('that were confirmed before records were lost stay so', () => {
    const records = [connected, live(2), emit(10, 1), confirmed(12, 11), dropped(13)];
    expect(told(records)).toEqual({ dropped: 3, sent: ['1 confirmed'] });
  });

  it('of a period have the marks that they have among all, although they are taken as soon as these are certain', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.constant('emit' as const) },
      { weight: 2, arbitrary: fc.constantFrom('paused', 'live', 'confirmed', 'epoch', 'again') },
    );
    const period = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), period, (steps, [one, other]) => {
        const records = historyOf(steps);
        const [from, to] = [Math.min(one, other) * SECONDS, Math.max(one, other) * SECONDS];
        const whole = new Deliveries('c1', 'quotes:A', 1000);
        const parts = new Deliveries('c1', 'quotes:A', 1000, { from, to });
        const taken = [];
        for (const record of records) {
          const read = { t: Number(record.t), record, line: Buffer.alloc(0) };
          whole.take(read);
          if (parts.isDone) continue;
          parts.take(read);
          taken.push(...parts.takeSettled());
        }
        taken.push(...parts.takeSettled(true));
        expect(taken).toEqual(whole.takeSettled(true).filter(({ t }) => t >= from && t <= to));
      }),
      { numRuns: 500 },
    );
  });
});

const SECONDS = 1_000_000;

/** A connection's records, 1 s apart. */
function historyOf(steps: readonly string[]): Members[] {
  let epoch = 1;
  let seq = 0;
  return [
    connected,
    { ...live(2), epoch: 'e1', seq: 0 },
    ...steps.map((step, i): Members => {
      const t = (i + 1) * SECONDS;
      const at = { epoch: `e${epoch}`, seq: Math.max(0, seq - 2) };
      if (step === 'paused') return { t, k: 'paused', c: 'c1', topic: VIEW.topic, ...at, reason: 'dropped' };
      if (step === 'live') return { ...live(t), epoch: `e${epoch}`, seq };
      if (step === 'confirmed') return confirmed(t, t - SECONDS / 2);
      if (step === 'again') seq = Math.max(0, seq - 3);
      if (step === 'epoch') {
        epoch++;
        seq = 0;
      }
      seq++;
      return { ...emit(t, seq), epoch: `e${epoch}` };
    }),
  ];
}
