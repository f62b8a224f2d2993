import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { claimPort, ownFreePort } from '../../../src/cli/free-port.js';

const PROGRAM = fileURLToPath(new URL('../../../dist/cli/free-port.js', import.meta.url));

describe('R1 PORT=0', () => {
  it.runIf(process.platform === 'linux')(
    'is never the port of another gateway that starts at the same time',
    async () => {
      const port = await ownFreePort('127.0.0.1');
      // Nobody listens there yet: the kernel would give it to the next who asks.
      expect(await claimPort(port)).toBe(false);
      const script = `import(${JSON.stringify(PROGRAM)}).then(async m => process.send(await m.claimPort(${port})))`;
      const other = fork('-e', [script], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      const answer = await new Promise(resolve => other.once('message', resolve));
      other.kill('SIGKILL');
      expect(answer).toBe(false);
    },
  );

  it.runIf(process.platform === 'linux')('is not one that an outgoing connection may be given', async () => {
    const ephemeral = Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
    for (let i = 0; i < 20; i++) expect(await ownFreePort('127.0.0.1')).toBeLessThan(ephemeral);
  });

  it('says which host has no port', async () => {
    await expect(ownFreePort('192.0.2.1')).rejects.toThrow('no free port on HOST 192.0.2.1');
  });
});
