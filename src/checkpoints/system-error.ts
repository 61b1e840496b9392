const reasons: Record<string, string> = {
  EACCES: 'permission denied',
  EBUSY: 'it is in use',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'something else is there',
  EFBIG: 'the file would be larger than allowed',
  EIO: 'the disk reports an error',
  EISDIR: 'it is a directory',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENOENT: 'it does not exist',
  ENOSPC: 'no space is left on the disk',
  ENOTDIR: 'a part of the path is not a directory',
  ENOTEMPTY: 'something else is there',
  EPERM: 'the operation is not permitted',
  EROFS: 'the disk is read-only',
};

/** What a failed file operation means, in words that fit behind a colon. */
export function describeSystemError(error: unknown): string {
  const code = systemErrorCode(error);
  return code === undefined ? String(error) : (reasons[code] ?? code);
}

export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
