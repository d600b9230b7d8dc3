#!/bin/sh
# NAME_FILE=/run/secrets/… becomes NAME: programs that want a secret in their environment get it from
# the file that the engine mounts, and it stands in no description of the container. Then the command
# takes the place of this process.
set -eu
secrets=${SECRETS_DIR:-/run/secrets}
for name in $(env | sed -n "s|^\([A-Za-z_][A-Za-z0-9_]*\)_FILE=$secrets/.*|\1|p"); do
  file=$(printenv "${name}_FILE")
  if [ -n "$(printenv "$name" || true)" ]; then
    echo "Error: both $name and ${name}_FILE are set: keep one of them" >&2
    exit 2
  fi
  if [ ! -r "$file" ]; then
    echo "Error: ${name}_FILE names $file, which this user ($(id -u)) cannot read: chmod 644 the secret's file" >&2
    exit 2
  fi
  export "$name=$(cat "$file")"
  unset "${name}_FILE"
done
exec "$@"
