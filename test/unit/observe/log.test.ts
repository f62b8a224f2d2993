/** Log lines: JSON that every parser reads alike. */
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/observe/log.js';

function logged(write: (log: ReturnType<typeof createLogger>) => void) {
  const lines: string[] = [];
  write(createLogger('info', 'node-1', { write: line => void lines.push(line) }));
  return { text: lines.join(''), fields: lines.map(line => JSON.parse(line) as Record<string, unknown>) };
}

/** Names of the members at the top of a JSON object, repeated ones too. */
function membersOf(json: string): string[] {
  const names: string[] = [];
  let depth = 0;
  for (const [token, name] of json.matchAll(/"((?:[^"\\]|\\.)*)"(?=\s*:)|"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && name !== undefined) names.push(name);
  }
  return names;
}

describe('R62 O3 a log line', () => {
  it.each(['level', 'time', 'pid', 'hostname', 'node', 'event', 'msg'])(
    'O3 has one member %s, also where the event has a field of that name',
    name => {
      const { text, fields } = logged(log => log.warn({ [name]: 'mine', load: 'stretched' }, 'load'));
      const members = membersOf(text);
      expect(new Set(members).size).toBe(members.length);
      expect(fields[0]).toMatchObject({ level: 40, node: 'node-1', msg: 'load', [`field_${name}`]: 'mine' });
      expect(fields[0]).toHaveProperty('load', 'stretched');
    },
  );

  it('R62 is named after its event, wherever that is logged', () => {
    const { fields } = logged(log => {
      log.warn({ reason: 'SIGTERM' }, 'draining');
      log.info('a line that is no event');
    });
    expect(fields[0]).toMatchObject({ event: 'draining', reason: 'SIGTERM', msg: 'draining' });
    expect(fields[1]).not.toHaveProperty('event');
  });

  it('O3 keeps all other fields as they are', () => {
    const { fields } = logged(log => log.info({ reason: 'SIGHUP', levels: [1], token: 'hunter2' }, 'reloaded'));
    expect(fields[0]).toMatchObject({ reason: 'SIGHUP', levels: [1], token: '[Redacted]', msg: 'reloaded' });
  });

  it('O3 keeps errors', () => {
    const { fields } = logged(log => log.error({ err: new TypeError('broken') }, 'defect'));
    expect(fields[0]).toMatchObject({ err: { type: 'TypeError', message: 'broken' }, msg: 'defect' });
  });
});
