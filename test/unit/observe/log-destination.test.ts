import { expect, test } from 'vitest';
import { LOG_BYTES_MAX, LogDestination } from '../../../src/observe/log-destination.js';
import { until } from '../../support/until.js';

const failing = (code: string) => Object.assign(new Error(code), { code });
const LINE = `${'x'.repeat(1023)}\n`;

test('R62 lines wait for a reader that does not read, up to a limit, and those beyond it are counted', async () => {
  let isReading = false;
  let seen = '';
  const log = new LogDestination(bytes => {
    if (!isReading) throw failing('EAGAIN');
    const taken = bytes.subarray(0, 1000);
    seen += Buffer.from(taken).toString();
    return taken.length;
  });
  const fitting = LOG_BYTES_MAX / LINE.length;
  for (let i = 0; i < fitting + 7; i++) log.write(LINE);
  expect(log.lost).toBe(7);
  isReading = true;
  await until(() => seen.length === LOG_BYTES_MAX);
  expect(seen).toBe(LINE.repeat(fitting));
  log.write('more\n');
  expect(seen.endsWith('more\n')).toBe(true);
  expect(log.lost).toBe(7);
});

test.each(['ENOSPC', 'EPIPE'])(
  'R62 where writing fails with %s the line is lost and counted, and the next is tried',
  code => {
    let isBroken = true;
    let seen = '';
    const log = new LogDestination(bytes => {
      if (isBroken) throw failing(code);
      seen += Buffer.from(bytes).toString();
      return bytes.length;
    });
    log.write('a\n');
    isBroken = false;
    log.write('b\n');
    expect([seen, log.lost]).toEqual(['b\n', 1]);
  },
);
