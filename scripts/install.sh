# Puts psync in its places, and takes it away again. Sourced by scripts/psync.
#
# PREFIX (default /usr/local) takes binary, man page and completion, UNITS (default
# /etc/systemd/system) the unit; DESTDIR stands before both.

PREFIX=${PREFIX:-/usr/local}
UNITS=${UNITS:-/etc/systemd/system}
ROOT=${DESTDIR:-}

# What is installed, as lines of "MODE FROM TO"; FROM "-SHELL" is the completion of that shell.
places() {
  cat <<END
755 $REPO/dist/psync $ROOT$PREFIX/bin/psync
644 $REPO/docs/psync.1 $ROOT$PREFIX/share/man/man1/psync.1
644 -bash $ROOT$PREFIX/share/bash-completion/completions/psync
644 -zsh $ROOT$PREFIX/share/zsh/site-functions/_psync
644 -fish $ROOT$PREFIX/share/fish/vendor_completions.d/psync.fish
644 $REPO/scripts/psync@.service $ROOT$UNITS/psync@.service
END
}

# Written aside and renamed: a psync that runs goes on with its own file.
put_file() {
  local mode=$1 from=$2 to=$3
  mkdir -p "$(dirname "$to")"
  case $from in
    -*) "$REPO/dist/psync" completion "${from#-}" >"$to.new" ;;
    *psync@.service) sed "s|/usr/local/bin/psync|$PREFIX/bin/psync|" "$from" >"$to.new" ;;
    *) cp "$from" "$to.new" ;;
  esac
  chmod "$mode" "$to.new"
  mv -f "$to.new" "$to"
  echo "installed $to"
}

install_all() {
  local mode from to
  while read -r mode from to; do put_file "$mode" "$from" "$to"; done < <(places)
  if [[ -z $ROOT ]] && command -v systemctl >/dev/null; then systemctl daemon-reload || true; fi
}

# What is not there is no failure; the state of the pairs stays (README, "To be rid of it").
uninstall_all() {
  local to
  while read -r _ _ to; do
    [[ -e $to ]] || continue
    rm -f "$to"
    echo "removed $to"
  done < <(places)
}
