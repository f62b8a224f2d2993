/** ops/kernel: the sysctl file, and the page that explains it. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

/** As sysctl reads it. @throws {Error} for a line that is no setting */
function settingsIn(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name = '', value = ''] = /^([a-z0-9_.-]+) = (\S.*)$/.exec(line) ?? [];
    if (name === '' || settings.has(name)) throw new Error(`not a setting, or twice: ${line}`);
    settings.set(name, value);
  }
  return settings;
}

describe('R69 ops/kernel/99-millrace.conf', () => {
  const settings = settingsIn(read('ops/kernel/99-millrace.conf'));
  const page = read('ops/kernel.md');

  it('R69 explains each setting on the page, with its value and its effect', () => {
    expect(settings.size).toBeGreaterThan(8);
    const rows = [...page.matchAll(/^\| `([a-z0-9_.-]+) = ([^`]+)` \|(.*)\|(.*)\|$/gm)];
    expect(new Map(rows.map(([, name = '', value = '']) => [name, value]))).toEqual(settings);
    for (const [, name, , , effect = ''] of rows) expect(effect.trim(), name).toMatch(/^(measured: |not measured)/);
  });

  /** Outside of the machine's own network namespace, /proc/sys lacks what belongs to the host. */
  const isHost = existsSync('/proc/sys/net/core/netdev_max_backlog');

  it.runIf(process.platform === 'linux')('R69 has only names that this kernel knows', () => {
    // Kernels may be built without this one.
    const optional = ['kernel.sched_autogroup_enabled'];
    const names = [...settings.keys()].filter(name => isHost || !/^net\.core\.netdev/.test(name));
    const missing = names.filter(name => !existsSync(`/proc/sys/${name.replaceAll('.', '/')}`));
    expect(missing.filter(name => !optional.includes(name))).toEqual([]);
  });

  it('R69 has three increasing numbers where the kernel expects them, and a range where it expects one', () => {
    for (const name of ['net.ipv4.tcp_wmem', 'net.ipv4.tcp_rmem', 'net.ipv4.ip_local_port_range']) {
      const numbers = (settings.get(name) ?? '').split(' ').map(Number);
      expect(numbers, name).toHaveLength(name.endsWith('mem') ? 3 : 2);
      expect(
        [...numbers].sort((a, b) => a - b),
        name,
      ).toEqual(numbers);
    }
  });
});
