/** R69: the runbook says what to do for every alert, in commands that there are. A test of integration runs them. */
import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { alertRules, unknownMetrics } from '../../support/alert-rules.js';
import { commandProblem, millraceCommands, millraceLines } from '../../support/command-lines.js';
import { anchorOf, runbookBlocks, runbookSections } from '../../support/runbook.js';

const RULES = alertRules();
const SECTIONS = runbookSections();
const BLOCKS = runbookBlocks();
const KINDS = ['sh', 'bash', 'sh systemd', 'sh container', 'sh kubernetes', 'sh helpers'];

describe('R69 ops/runbook.md', () => {
  it('R69 has a section for each alert, in the order of the alerts, and for no other', () => {
    const sections = SECTIONS.map(({ title }) => title).filter(title => title.startsWith('Millrace'));
    expect(sections).toEqual(RULES.map(({ alert }) => alert));
    for (const { alert, annotations } of RULES) {
      expect(annotations.runbook_url, alert).toBe(`runbook.md#${anchorOf(alert)}`);
    }
  });

  it.each(RULES)('R69 says of $alert what it means, where to look, how to mend it and how to verify that', rule => {
    const text = SECTIONS.find(({ title }) => title === rule.alert)?.text ?? '';
    const severity = rule.labels.severity === 'page' ? 'Page' : 'Ticket';
    expect(text).toMatch(
      new RegExp(
        `^\\*\\*${severity}\\.\\*\\* [\\s\\S]+^\\*\\*First look\\.\\*\\*[\\s\\S]+^\\*\\*Mend\\.\\*\\*[\\s\\S]+^\\*\\*Verify\\.\\*\\*`,
        'm',
      ),
    );
    const steps = BLOCKS.filter(({ section, info }) => section === rule.alert && info === 'sh');
    expect(steps.map(({ step }) => step)).toContain('First look');
    expect(steps.at(-1)?.step).toBe('Verify');
    // Both what the gateway or Prometheus measures now, and the alert itself.
    expect(steps.at(-1)?.text).toMatch(new RegExp(`^(expect|none|ask|get) [\\s\\S]*^over ${rule.alert}$`, 'm'));
  });

  it('R69 marks each block as one that reads or one that changes, in valid shell', () => {
    expect(BLOCKS.length).toBeGreaterThan(80);
    for (const { info, text, section, line } of BLOCKS) {
      expect(KINDS, `line ${line}`).toContain(info);
      const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
      expect(status, `${section}, line ${line}: ${stderr}`).toBe(0);
      if (info === 'sh') expect(text, `line ${line}`).not.toMatch(/sudo|gateway \w|admin (drain|end|revoke|broadcast)/);
    }
  });

  it('R69 names only metrics that a gateway has', () => {
    expect(unknownMetrics(BLOCKS.map(({ text }) => text).join('\n'))).toEqual([]);
  });

  it('R69 links to sections that there are', () => {
    const anchors = new Set(SECTIONS.map(({ title }) => anchorOf(title)));
    const links = SECTIONS.flatMap(({ text }) =>
      [...text.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor),
    );
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter(anchor => !anchors.has(anchor))).toEqual([]);
  });

  it('R69 uses commands and options that millrace has', async () => {
    const commands: readonly Command[] = await millraceCommands();
    const lines = BLOCKS.flatMap(({ text, line }) => millraceLines(text).map(words => ({ words, line })));
    const problems = lines.map(({ words, line }) => ({ line, problem: commandProblem(commands, words) }));
    expect(lines.length).toBeGreaterThan(30);
    expect(problems.filter(({ problem }) => problem !== undefined)).toEqual([]);
  });

  it('R69 would not miss a command or an option that does not exist', async () => {
    const commands = await millraceCommands();
    const problem = (text: string) => millraceLines(text).map(words => commandProblem(commands, words));
    expect(problem('millrace publish md.quotes.A {}')).toEqual([undefined]);
    expect(problem('millrace publsh md.quotes.A {}')).toEqual(['there is no command publsh']);
    expect(problem('x=$(millrace token --sbu alice)')).toEqual(['token has no option --sbu']);
  });
});
