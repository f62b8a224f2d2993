/** The last words of a command that failed. */
import { describe, expect, it } from 'vitest';
import { CommandFailure, lastWords } from '../../../src/cli/failure.js';
import { ConfigError } from '../../../src/config/config-error.js';

describe('O4 the last words of a failed command', () => {
  it('O4 are one line for each setting that is wrong', () => {
    expect(lastWords(new ConfigError('PORT: a\nHOST: b', { cause: new Error('c') }))).toBe('PORT: a\nHOST: b');
    expect(lastWords(new CommandFailure('no such file'))).toBe('no such file');
  });

  it('O4 are one line, with the cause, for whatever the world did', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:4222'), { code: 'ECONNREFUSED' });
    expect(lastWords(new Error('cannot reach NATS', { cause: refused }))).toBe(
      'cannot reach NATS: connect ECONNREFUSED 127.0.0.1:4222',
    );
    expect(lastWords(new Error('cannot reach NATS (connect ECONNREFUSED 127.0.0.1:4222)', { cause: refused }))).toBe(
      'cannot reach NATS (connect ECONNREFUSED 127.0.0.1:4222)',
    );
    expect(lastWords(new AggregateError([new Error('a'), new Error('b')]))).toBe('a; b');
    expect(lastWords(new Error('two\nlines'))).toBe('two lines');
    expect(lastWords('a text')).toBe('a text');
  });

  it('O4 have a stack only for a defect', () => {
    expect(lastWords(new Error('failed', { cause: new TypeError('x is undefined') }))).toMatch(/TypeError: x.*\n +at /);
    expect(lastWords(new Error('failed'))).not.toContain(' at ');
  });
});
