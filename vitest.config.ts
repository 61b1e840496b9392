import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    testTimeout: 60_000,
    // Each file owns native sessions and threads; two at once is what two cores carry.
    pool: 'forks',
    maxWorkers: 2,
  },
});
