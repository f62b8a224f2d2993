import { closeSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openDescriptors } from '../../../src/observe/descriptors.js';

describe.runIf(process.platform === 'linux')('open file descriptors', () => {
  it('are counted', async () => {
    const before = (await openDescriptors()) ?? Number.NaN;
    const opened = Array.from({ length: 7 }, () => openSync('/dev/null', 'r'));
    try {
      expect(await openDescriptors()).toBe(before + opened.length);
    } finally {
      for (const descriptor of opened) closeSync(descriptor);
    }
  });
});
