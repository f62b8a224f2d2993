/** R70 refusals in the journal name what was refused, also where the frame does not. */
import { expect, it } from 'vitest';
import { recordOf } from '../../../../src/gateway/journal/control-records.js';
import { KINDS } from '../../../../src/journal/kinds.js';
import { LISTED_MAX } from '../../../../src/protocol/record-limits.js';

const ERROR = { type: 'error', code: 'forbidden', message: 'not entitled to quotes of AAPL.O', product: 'XNAS-BASIC' };

function record(...args: Parameters<typeof recordOf>) {
  const { k, ...members } = recordOf(...args) as { readonly k: 'refused' };
  expect(KINDS[k].schema.safeParse(members).error).toBeUndefined();
  return members;
}

it('R70 the only topic of a command is named, with its product', () => {
  expect(record(ERROR, 'c7', { stream: 'quotes', names: ['AAPL.O'] })).toEqual({
    c: 'c7',
    what: 'topic',
    code: 'forbidden',
    topic: 'quotes:AAPL.O',
    product: 'XNAS-BASIC',
  });
});

it('R70 several topics are listed up to a bound, and the others counted', () => {
  const names = Array.from({ length: LISTED_MAX + 5 }, (_, i) => `S${i}`);
  expect(record(ERROR, 'c7', { stream: 'trades', names })).toMatchObject({
    what: 'topic',
    stream: 'trades',
    symbols: names.slice(0, LISTED_MAX),
    more: 5,
  });
  expect(record(ERROR, 'c7', { stream: 'trades', names: ['A', 'B'] })).not.toHaveProperty('more');
});

it('R70 a command that is refused as a whole names no topic', () => {
  expect(record({ type: 'error', code: 'rate_limited', message: 'slow down' }, 'c7')).toEqual({
    c: 'c7',
    what: 'command',
    code: 'rate_limited',
  });
});
