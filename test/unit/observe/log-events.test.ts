/** Every line that the gateway logs is an event of the table, with its message, level and fields. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import type { LogEvent } from '../../../src/observe/log-events/event.js';
import { FIELDS } from '../../../src/observe/log-events/fields.js';
import { LOG_EVENT_GROUPS } from '../../../src/observe/log-events/table.js';

const SRC = fileURLToPath(new URL('../../../src/', import.meta.url));
const EVENTS = LOG_EVENT_GROUPS.flatMap(({ events }) => Object.entries(events) as [string, LogEvent][]);
const BY_MESSAGE = new Map(EVENTS.map(([, event]) => [event.message, event]));
const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
/** A message that is taken from the table. */
const FROM_TABLE = /^\w+\.events\[.+\]\.message$/;

interface LogCall {
  readonly where: string;
  /** Undefined where it is computed. */
  readonly level: string | undefined;
  /** As it stands in the code: with quotes if it is a text. */
  readonly message: string;
  /** Members of an object that stands in the call; those that are spread into it are not known. */
  readonly fields: readonly string[];
}

/** Calls of a logger in a source text: `log.info(…)`, `this.#log[level](…)`. */
function logCallsIn(file: string, text: string): LogCall[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const calls: LogCall[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const call = logCall(node, `${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
      if (call !== undefined) calls.push(call);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return calls;
}

function logCall({ expression, arguments: args }: ts.CallExpression, where: string): LogCall | undefined {
  const isNamed = ts.isPropertyAccessExpression(expression);
  if (!isNamed && !ts.isElementAccessExpression(expression)) return undefined;
  const level = isNamed ? expression.name.text : undefined;
  const isLogger = /(^|[.#])log$/i.test(expression.expression.getText());
  if (!isLogger || (level !== undefined && !LEVELS.includes(level))) return undefined;
  const [first] = args;
  // `ClientLog` takes sessions, and has messages of its own kind.
  if (first === undefined || (!isNamed && args.length === 2 && /clientOf/.test(first.getText()))) return undefined;
  const fields = ts.isObjectLiteralExpression(first)
    ? first.properties.flatMap(({ name }) => name?.getText() ?? [])
    : [];
  return { where, level, message: args.at(-1)?.getText() ?? '', fields };
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
const calls = files.flatMap(file => logCallsIn(file.replaceAll('\\', '/'), readFileSync(join(SRC, file), 'utf8')));
const messageOf = ({ message }: LogCall): string => message.replace(/^'(.*)'$/s, '$1').replaceAll("\\'", "'");

describe('R62 the table of log events', () => {
  it('R62 has every message that is logged, at its level and with its fields', () => {
    expect(calls.length).toBeGreaterThan(40);
    const wrong = calls.flatMap(call => {
      const { where, level, message, fields } = call;
      if (FROM_TABLE.test(message)) return [];
      const event = BY_MESSAGE.get(messageOf(call));
      if (event === undefined) return [`${where}: ${message} is not in src/observe/log-events`];
      const isLevel = level === undefined || event.levels.some(one => one === level);
      const unknown = fields.filter(field => !event.fields.some(one => one === field));
      return [
        ...(isLevel ? [] : [`${where}: ${message} is logged at ${level}, not at ${event.levels.join(' or ')}`]),
        ...unknown.map(field => `${where}: ${message} has a field ${field} that the table lacks`),
      ];
    });
    expect(wrong).toEqual([]);
  });

  it('R62 has no event that is never logged', () => {
    const logged = new Set(calls.map(messageOf));
    const own = calls.filter(({ message }) => FROM_TABLE.test(message));
    expect(own.length).toBeGreaterThan(0);
    const unused = EVENTS.filter(([name, { message }]) => !logged.has(message) && !name.startsWith('client_'));
    expect(unused.map(([name]) => name)).toEqual([]);
  });

  it('R62 names each event once, and each message; and describes every field that occurs, and no other', () => {
    expect(new Set(EVENTS.map(([name]) => name)).size).toBe(EVENTS.length);
    expect(BY_MESSAGE.size).toBe(EVENTS.length);
    expect([...new Set(EVENTS.flatMap(([, { fields }]) => fields))].sort()).toEqual(Object.keys(FIELDS).sort());
    for (const [name, { means }] of EVENTS) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(means, name).toMatch(/[^.]$/);
    }
  });

  it('R62 is compared with calls that the scan does find', () => {
    const found = logCallsIn(
      'a.ts',
      "this.#log.info({ a, b: 1, ...c }, 'd');\nlog[level]({ e }, `f`);\nother.info('g');",
    );
    expect(found).toEqual([
      { where: 'a.ts:1', level: 'info', message: "'d'", fields: ['a', 'b'] },
      { where: 'a.ts:2', level: undefined, message: '`f`', fields: ['e'] },
    ]);
  });
});
