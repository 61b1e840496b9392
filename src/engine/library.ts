import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fail } from '../errors.js';

/** What the npm package `onnxruntime-node` calls the shared library on each platform, and the processors it is built for. */
const LIBRARIES: Readonly<Record<string, { readonly file: string; readonly architectures: readonly string[] }>> = {
  linux: { file: 'libonnxruntime.so.1', architectures: ['x64', 'arm64'] },
  darwin: { file: 'libonnxruntime.1.30.0.dylib', architectures: ['arm64'] },
  win32: { file: 'onnxruntime.dll', architectures: ['x64', 'arm64'] },
};

/** Where ONNX Runtime's shared library lies for a platform and processor, as Node names them. */
export function findLibrary(platform: string = process.platform, architecture: string = process.arch): string {
  const library = LIBRARIES[platform];
  if (!library?.architectures.includes(architecture)) {
    const supported = Object.entries(LIBRARIES).flatMap(([name, { architectures }]) =>
      architectures.map((each) => `${name} ${each}`),
    );
    fail(
      'engine',
      `ONNX Runtime has no build for ${platform} ${architecture}. Run on one of: ${supported.join(', ')}.`,
    );
  }
  const path = join(packageDirectory(), 'bin', 'napi-v6', platform, architecture, library.file);
  if (!existsSync(path)) fail('engine', `ONNX Runtime's library is missing: no file ${path}. Run "npm ci" again.`);
  return path;
}

function packageDirectory(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  } catch (error) {
    return fail('engine', 'the package onnxruntime-node is not installed. Run "npm ci".', error);
  }
}
