import { describe, expect, it } from 'vitest';
import { physicalCores } from './cores.js';
import { describeEngine, selfCheck } from './index.js';
import { findLibrary } from './library.js';

describe('findLibrary', () => {
  it.each([
    ['linux', 'x64', /linux[\\/]x64[\\/]libonnxruntime\.so\.1$/],
    ['linux', 'arm64', /linux[\\/]arm64[\\/]libonnxruntime\.so\.1$/],
    ['darwin', 'arm64', /darwin[\\/]arm64[\\/]libonnxruntime\.1\.30\.0\.dylib$/],
    ['win32', 'x64', /win32[\\/]x64[\\/]onnxruntime\.dll$/],
  ])('finds the file for %s %s', (platform, architecture, path) => {
    expect(findLibrary(platform, architecture)).toMatch(path);
  });

  it.each([
    ['darwin', 'x64'],
    ['linux', 'ia32'],
    ['freebsd', 'x64'],
  ])('says that there is none for %s %s', (platform, architecture) => {
    expect(() => findLibrary(platform, architecture)).toThrow(
      `engine: ONNX Runtime has no build for ${platform} ${architecture}. Run on one of: linux x64, linux arm64, darwin arm64`,
    );
  });
});

describe('describeEngine', () => {
  it('says what runs programs here', () => {
    const { version, libraryPath, providers, platform } = describeEngine();
    expect(version).toMatch(/^1\.30\./);
    expect(libraryPath).toBe(findLibrary());
    expect(providers).toContain('CPUExecutionProvider');
    expect(platform).toBe(`${process.platform} ${process.arch}`);
  });
});

describe('selfCheck', () => {
  it('computes a known product', () => {
    expect(selfCheck()).toContain('right');
  });
});

describe('physicalCores', () => {
  it('is a count of cores', () => {
    expect(physicalCores()).toBeGreaterThanOrEqual(1);
    expect(Number.isInteger(physicalCores())).toBe(true);
  });
});
