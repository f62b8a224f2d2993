/** The walks of src/gateway/README.md name files and functions: each is there. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const FOLDER = new URL('../../../src/gateway/', import.meta.url);
const README = readFileSync(new URL('README.md', FOLDER), 'utf8');
const SECTIONS = README.split(/^## /m).slice(1);

/** `name` ([text](path)) in a walk. */
const NAMED = /`([^`]+)` \(\[[^\]]+\]\(([^)]+)\)\)/g;

/** Whether a source file declares what a walk names: `Class.method`, `Class.#method`, `Class` or `function`. */
function declares(source: string, name: string): boolean {
  const [first = '', member] = name.split('.');
  const owner = new RegExp(`^export (?:async )?(?:class|function) ${first}\\b`, 'm');
  if (!owner.test(source)) return false;
  if (member === undefined) return true;
  return new RegExp(`^  (?:async )?${member}\\(`, 'm').test(source);
}

describe('the walks of the gateway', () => {
  it('are four, each of ten steps at most', () => {
    expect(SECTIONS.map(section => section.split('\n')[0])).toEqual([
      'A published message',
      'A subscribe',
      'An upgrade',
      'A stalled socket',
    ]);
    for (const section of SECTIONS) {
      const steps = section.split('\n').filter(line => /^\d+\. /.test(line));
      expect(steps.length).toBeLessThanOrEqual(10);
      // Each step names at least one file and function.
      expect(steps.filter(step => !/`\S+` \(\[/.test(step))).toEqual([]);
    }
  });

  it.each([...README.matchAll(NAMED)].map(([, name = '', path = '']) => [name, path]))('%s is in %s', (name, path) => {
    expect(declares(readFileSync(fileURLToPath(new URL(path, FOLDER)), 'utf8'), name)).toBe(true);
  });

  it('would notice a name that is gone', () => {
    expect(declares('export class Fanout {\n  read(): boolean {', 'Fanout.read')).toBe(true);
    expect(declares('export class Fanout {\n  read(): boolean {', 'Fanout.write')).toBe(false);
    expect(declares('class Fanout {', 'Fanout')).toBe(false);
  });
});
