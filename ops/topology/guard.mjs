/**
 * Ends the programs of a topology that can no longer end them itself, because it was killed. The topology holds this
 * program's standard input and writes a line for each process: `+<id>` as it starts, `-<id>` as it ends.
 */
import { createInterface } from 'node:readline';

const running = new Set();

createInterface(process.stdin)
  .on('line', line => {
    const pid = Number(line.slice(1));
    if (line.startsWith('+')) running.add(pid);
    else running.delete(pid);
  })
  .once('close', () => {
    for (const pid of running) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
  });
