import { probe, runChild } from './probe.mjs';
import { App } from './uws.mjs';

if (process.argv[2] !== undefined) {
  App().ws('/*', { idleTimeout: Number(process.argv[2]) });
  console.log('accepted');
  process.exit(0);
}

await probe('idleTimeout is 0 (off) or 8 to 960 seconds; any other value ends the process', async ({ check }) => {
  for (const seconds of [0, 8, 120, 960]) {
    const { code, out } = await runChild(import.meta.url, [String(seconds)]);
    check(code === 0, `${seconds}: ${out.trim()}`);
  }
  for (const seconds of [1, 7, 961]) {
    const { died, signal, code, out } = await runChild(import.meta.url, [String(seconds)]);
    check(died, `${seconds}: ended with ${signal ?? code}, ${out.trim().split('\n')[0]}`);
  }
});
