#!/usr/bin/env bash
#
# nginx 1.22.1 (Debian 12).
#
# Expected: `error_page 400 = @name;` answers a request that nginx cannot take apart as the named
# location says, as it does for 404, 405, 413 and 502.
# Seen: where the address itself is broken (`/../../x`, `/%zz`), or longer than nginx takes (414),
# the client gets nginx's own 500 in HTML, because a request without an address cannot be sent to a
# named location. A location with an address of its own works.
#
# Berth: 400, 414 and 494 have internal addresses (lib/slots/gateway/nginx.py).

set -euo pipefail

folder=$(mktemp -d)
trap 'kill "$(cat "$folder/nginx.pid" 2>/dev/null)" 2>/dev/null || true; rm -rf "$folder"' EXIT
cat >"$folder/nginx.conf" <<'CONF'
pid nginx.pid; error_log error.log; events {}
http {
  access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c;
  uwsgi_temp_path d; scgi_temp_path e;
  server {
    listen 127.0.0.1:8197;
    error_page 400 = @bad; location @bad { return 400 'ours'; }
    error_page 404 = @gone; location @gone { return 404 'ours'; }
    location / { return 404; }
  }
  server {
    listen 127.0.0.1:8198;
    error_page 400 /bad; location = /bad { internal; return 400 'ours'; }
  }
}
CONF
nginx -p "$folder" -c "$folder/nginx.conf"

ask() { # PORT ADDRESS
  curl -s --path-as-is -o "$folder/body" -w '%{http_code}' "http://127.0.0.1:$1$2"
  printf ' %s' "$(tr -d '\r\n' <"$folder/body" | cut -c 1-40)"
}

named=$(ask 8197 /../../x) plain=$(ask 8197 /x) internal=$(ask 8198 /../../x)
printf '400 at a named place:      %s\n404 at a named place:      %s\n400 at an internal address: %s\n' \
  "$named" "$plain" "$internal"
[[ $named == 500* && $plain == '404 ours' && $internal == '400 ours' ]]
echo "as described"
