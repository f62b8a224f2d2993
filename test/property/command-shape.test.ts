/** The gateway checks commands by hand; documents and tests check them by schemas. Both must say the same. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandSchemas } from '../../src/protocol/command-schemas.js';
import { parseCommand } from '../../src/protocol/commands.js';

const long = (length: number) => 'x'.repeat(length);
/** Values at the edges of what members may be. */
const value = fc.oneof(
  fc.constantFrom(0, -1.5, Number.NaN, Number.POSITIVE_INFINITY, null, true, undefined, '', 'AAPL', {}, []),
  fc.constantFrom(64, 65, 128, 129, 256, 257, 16_384, 16_385).map(long),
  fc.array(fc.constantFrom<unknown>('AAPL', 7, null, long(256), long(257)), { maxLength: 3 }),
  fc.constantFrom(1000, 1001).map(length => new Array(length).fill('X')),
  fc.record({ epoch: fc.constantFrom<unknown>('e', 1, long(513)), seq: fc.constantFrom<unknown>(1, '1', Number.NaN) }),
);
const members = ['id', 'stream', 'symbol', 'symbols', 'channel', 'channels', 'room', 'rooms', 'class', 'depth']
  .concat(['since', 'token', 'data', 'unknown'])
  .map(name => [name, value] as const);
const command = fc
  .tuple(
    fc.constantFrom(...(Object.keys(commandSchemas) as (keyof typeof commandSchemas)[])),
    fc.record(Object.fromEntries(members), { requiredKeys: [] }),
    // Most commands are nearly right, so that not every one fails at its first member.
    fc.constantFrom({}, { stream: 'quotes', room: 'r', token: 't' }),
  )
  .map(([action, given, right]) => ({ ...given, ...right, action }));

describe('R31: the shape of commands', () => {
  it('is checked by hand as the schemas say', () => {
    let accepted = 0;
    fc.assert(
      fc.property(command, given => {
        const bySchema = commandSchemas[given.action].safeParse(given);
        const byHand = parseCommand(given);
        expect(byHand.ok).toBe(bySchema.success);
        if (!byHand.ok) return;
        accepted++;
        expect(byHand.command).toEqual(bySchema.data);
      }),
      { numRuns: 1000 },
    );
    expect(accepted).toBeGreaterThan(50);
  });

  it('names the member that is wrong, and echoes the id', () => {
    expect(parseCommand({ action: 'subscribe', id: 7, stream: 'quotes', symbols: 'AAPL' })).toEqual({
      ok: false,
      id: 7,
      code: 'invalid_message',
      message: 'symbols: must be an array of at most 100000 strings of at most 256 characters',
    });
  });
});
