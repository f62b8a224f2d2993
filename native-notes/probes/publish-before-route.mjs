import { probe, runChild } from './probe.mjs';
import { App } from './uws.mjs';

if (process.argv[2] === 'child') {
  const app = App();
  if (process.argv[3] === 'route') app.ws('/*', {});
  console.log(`publish returned ${app.publish('topic', 'message')}`);
  process.exit(0);
}

await probe('publish on an App without a .ws() route ends the process', async ({ check }) => {
  const without = await runChild(import.meta.url, ['child', 'none']);
  check(without.died, `no route: the child ended with ${without.signal ?? without.code} ${without.out.trim()}`);
  const after = await runChild(import.meta.url, ['child', 'route']);
  check(after.code === 0, `after .ws(): ${after.out.trim()}`);
});
