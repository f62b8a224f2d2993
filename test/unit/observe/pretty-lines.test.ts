/** Log lines for people. */
import { describe, expect, it } from 'vitest';
import { createLogger, type Logger } from '../../../src/observe/log.js';
import { mayHaveColours, PrettyLines } from '../../../src/observe/pretty-lines.js';

/** What a terminal gets. */
function shown(write: (log: Logger) => void, hasColours = false): string {
  const lines: string[] = [];
  const to = { write: (line: string) => void lines.push(line) };
  write(createLogger('trace', 'node-1', new PrettyLines(to, hasColours)));
  return lines.join('');
}

const withoutTime = (text: string): string => text.replaceAll(/^\d\d:\d\d:\d\d\.\d{3} /gm, '');

describe('R62 a log line on a terminal', () => {
  it('R62 has the time, the level, the message and the fields, and not what is the same in every line', () => {
    const text = shown(log => log.warn({ subject: 'md.quotes.A', suppressed: 0 }, 'invalid message dead-lettered'));
    expect(text).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}invalid message dead-lettered {2}subject=md\.quotes\.A suppressed=0\n$/,
    );
  });

  it('R62 quotes texts with blanks, and writes lists and objects as JSON', () => {
    const text = shown(log => log.info({ detail: 'a b', empty: '', list: ['x', 1], is: true, of: { c: null } }, 'x'));
    expect(withoutTime(text)).toBe('INFO  x  detail="a b" empty="" list=["x",1] is=true of={"c":null}\n');
  });

  it('R62 puts the stack of an error below the line', () => {
    const err = new TypeError('broken');
    err.stack = 'TypeError: broken\n    at f (a.js:1)\n    at g (b.js:2)';
    expect(withoutTime(shown(log => log.fatal({ err, reason: 'x' }, 'closing failed')))).toBe(
      'FATAL closing failed  reason=x\n    TypeError: broken\n        at f (a.js:1)\n        at g (b.js:2)\n',
    );
  });

  it('R62 shows the errors that an error stands for: its own message may be empty', () => {
    const refused = ['::1', '127.0.0.1'].map(address => new Error(`connect ECONNREFUSED ${address}:4222`));
    const text = shown(log => log.fatal({ err: new AggregateError(refused, '') }, 'closing failed'));
    expect(text).toContain('\n    Error: connect ECONNREFUSED ::1:4222\n');
    expect(text).toContain('\n    Error: connect ECONNREFUSED 127.0.0.1:4222\n');
  });

  it('R62 names a text of several lines', () => {
    const text = shown(log => log.warn({ detail: 'a\nb', worker: 1 }, 'x'));
    expect(withoutTime(text)).toBe('WARN  x  worker=1\n    detail:\n    a\n    b\n');
  });

  it('R62 shows each level', () => {
    const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
    const text = shown(log => {
      for (const level of levels) log[level]('x');
    });
    expect(withoutTime(text)).toBe('TRACE x\nDEBUG x\nINFO  x\nWARN  x\nERROR x\nFATAL x\n');
  });

  it('R62 cannot be broken out of: control characters of clients and publishers do nothing', () => {
    const evil = 'a\u001b[2J\u0007\u009b31m\u202eb';
    const text = shown(log =>
      log.info({ reason: evil, [evil]: evil, list: [evil], two: `${evil}\n12:00 INFO  lie` }, evil),
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
    expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    const [first, ...others] = text.trimEnd().split('\n');
    expect(first).toContain('a?[2J');
    expect(others.every(line => line.startsWith('    '))).toBe(true);
  });

  it('R62 has colours where they are wanted, and only around its own text', () => {
    const text = shown(log => log.error({ worker: 1 }, 'x'), true);
    expect(text).toContain('\u001b[31mERROR\u001b[0m x  \u001b[2mworker=\u001b[0m1\n');
  });

  it.each([
    ['a terminal', true, {}, true],
    ['a file', false, {}, false],
    ['NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR', true, { NO_COLOR: '' }, true],
    ['a terminal without colours', true, { TERM: 'dumb' }, false],
  ])('R62 knows whether colours are wanted: %s', (_what, isTerminal, env, expected) => {
    expect(mayHaveColours(isTerminal, env)).toBe(expected);
  });
});
