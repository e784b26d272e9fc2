# What the scripts share: where things lie. Sourced, never run. Sets nothing up.
#
# REPO, CACHE, DENO (the executable), DENO_DIR; hash_of for stamps; lock and unlock for what writes.

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=$REPO/.cache
TOOLS=$CACHE/tools

case $(uname -m) in
  aarch64 | arm64) DENO_PACKAGE=linux-arm64-glibc MULTIARCH=aarch64-linux-gnu ;;
  *) DENO_PACKAGE=linux-x64-glibc MULTIARCH=x86_64-linux-gnu ;;
esac
DENO=$TOOLS/node_modules/@deno/$DENO_PACKAGE/deno

# Everything that Deno fetches stays in the clone, too.
export DENO_DIR=$CACHE/deno DENO_NO_UPDATE_CHECK=1 DENO_NO_PROMPT=1
# A registry whose certificate only this machine knows serves npm; Deno must take it, too.
export DENO_TLS_CA_STORE=${DENO_TLS_CA_STORE:-mozilla,system}

# Prints one hash over the names and contents of the files whose names come on stdin, NUL-separated.
hash_of() {
  LC_ALL=C sort -z | xargs -0r sha256sum | sha256sum | cut -d' ' -f1
}

# Waits until no other script of this clone sets up or builds. Ends with the shell, or with unlock.
lock() {
  mkdir -p "$CACHE"
  exec 9>"$CACHE/lock"
  flock 9
}

unlock() {
  exec 9>&-
}

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}
