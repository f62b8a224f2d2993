/** R69: the unit of ops/systemd is one that systemd takes, and fits the gateway. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config/environment.js';
import { SETTINGS } from '../../../src/config/settings-table.js';
import { settingsIn } from '../../support/kustomize.js';

const FOLDER = fileURLToPath(new URL('../../../ops/systemd/', import.meta.url));
const UNIT = readFileSync(join(FOLDER, 'millrace@.service'), 'utf8');
/** systemd's scale: 10 is a service without any hardening. */
const EXPOSURE_MAX = 2;

/** Values of a directive, in order. */
const directive = (name: string) => [...UNIT.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);

describe('R69 the unit', () => {
  it('R69 starts with settings that the gateway knows and takes', () => {
    const settings = settingsIn(join(FOLDER, 'settings.env'));
    const environment = directive('Environment').map(text => text?.split('=') ?? []);
    const names = [...Object.keys(settings), ...environment.map(([name = '']) => name)];
    expect(names.filter(name => name !== 'NODE_ENV' && !SETTINGS.has(name))).toEqual([]);
    const { times, adminPort } = readConfig(settings);
    const [stopSeconds] = directive('TimeoutStopSec');
    expect(Number(stopSeconds) * 1000).toBeGreaterThanOrEqual(times.drainDelayMs + times.drainTimeoutMs + 10_000);
    expect(UNIT).toContain(`http://127.0.0.1:${adminPort}/readyz`);
    expect(Number(directive('LimitNOFILE')[0])).toBeGreaterThan(Number(SETTINGS.get('WS_MAX_CONNECTIONS')?.default));
  });

  it('R69 reloads by SIGHUP, restarts what has failed, and lets V8 work', () => {
    expect(directive('ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
    expect(directive('Restart')).toEqual(['on-failure']);
    expect(directive('SystemCallFilter')).toEqual(['@system-service @pkey']);
    expect(directive('SystemCallErrorNumber')).toEqual(['EPERM']);
    expect(directive('MemoryDenyWriteExecute')).toEqual([]);
  });

  it('R69 is one that systemd takes, and finds well hardened', ({ skip }) => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) skip('systemd-analyze is not installed');
    const folder = mkdtempSync(join(tmpdir(), 'millrace-unit-'));
    try {
      const file = join(folder, 'millrace@.service');
      // systemd checks that the programs are there: this machine's Node may be elsewhere.
      writeFileSync(file, UNIT.replace('/usr/bin/node', process.execPath).replace('/usr/bin/curl', '/bin/true'));
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      expect([status, stderr.includes('millrace')]).toEqual([0, false]);
      const check = ['security', '--offline=true', `--threshold=${EXPOSURE_MAX * 10}`, file];
      expect(execFileSync('systemd-analyze', check, { encoding: 'utf8' })).toContain('Overall exposure level');
      writeFileSync(file, UNIT.replace(/^(?:Protect|Restrict|SystemCall)\w+=.*$/gm, ''));
      expect(spawnSync('systemd-analyze', check).status).not.toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
