/** Whether a reopened stream is the one read before: what is not answered proves nothing. */
import { type JetStreamManager, NatsError, type StreamInfo } from 'nats';
import { expect, it } from 'vitest';
import { continuityOf, ShortStream } from '../../../src/feed/stream-continuity.js';
import { FakeClock } from '../../support/fake-clock.js';

const MARK = { seq: 5, subject: 'md.trades.A', nanos: 1_700_000_000_000_000_000 };
const INFO = { state: { last_seq: 9 } } as StreamInfo;
/** The sequence at which the stream would have fallen back. */
const BACK_AT = 3;

function apiError(code: number): NatsError {
  const error = new NatsError('', '404');
  error.api_error = { code: 404, err_code: code, description: '' };
  return error;
}

/** The consumer that read the last message is lost. */
function managerThat(getMessage: () => Promise<unknown>): JetStreamManager {
  return {
    streams: { getMessage },
    consumers: {
      info: async () => {
        throw apiError(10_014);
      },
      add: async () => ({ name: 'c', delivered: { stream_seq: BACK_AT - 1 } }),
      delete: async () => true,
    },
  } as unknown as JetStreamManager;
}

const continuity = (error: Error) =>
  continuityOf(
    managerThat(async () => {
      throw error;
    }),
    'S',
    INFO,
    MARK,
    'c',
  );

it.each(['TIMEOUT', '503'])('R29 N9 a server that answers %s leaves it open: the stream is asked again', async code => {
  await expect(continuity(new NatsError(code, code))).rejects.toThrow(code);
});

it.each([
  ['does not hold the message', apiError(10_037)],
  ['may not be asked', new NatsError('PERMISSIONS_VIOLATION', 'PERMISSIONS_VIOLATION')],
])('R29 N9 a stream that %s, and no consumer of it, prove another life', async (_, error) => {
  expect(await continuity(error)).toBe(BACK_AT);
});

it('R29 N9 a new leader of a cluster has some time to hold what was read; a single server has none', () => {
  const clock = new FakeClock();
  const short = new ShortStream(clock);
  const info = (lastSeq: number, replicas: number) =>
    ({ state: { last_seq: lastSeq }, config: { num_replicas: replicas } }) as StreamInfo;
  expect(short.mayGrow(info(4, 1), MARK)).toBe(false);
  expect(short.mayGrow(info(4, 3), MARK)).toBe(true);
  clock.advanceMs(4_000);
  expect(short.mayGrow(info(4, 3), MARK)).toBe(true);
  clock.advanceMs(2_000);
  expect(short.mayGrow(info(4, 3), MARK)).toBe(false);
  // It has grown; the next leader has as much time.
  expect(short.mayGrow(info(5, 3), MARK)).toBe(false);
  expect(short.mayGrow(info(4, 3), MARK)).toBe(true);
});
