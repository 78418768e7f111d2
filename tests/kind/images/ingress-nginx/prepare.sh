#!/bin/sh
# Fit the controller's template to Debian's nginx. Every edit is checked: a template that has
# changed must stop the build, not the cluster.
set -eu
template=/etc/nginx/template/nginx.tmpl

must_have() {
    grep -q "$1" "$template" || { echo "the template holds no line '$1'" >&2; exit 1; }
}

# Debian builds these as modules, upstream's nginx has them inside.
must_have '^# setup custom paths'
modules=
for module in ndk_http_module ngx_http_lua_module ngx_http_headers_more_filter_module \
    ngx_stream_module; do
    test -f "/usr/lib/nginx/modules/$module.so"
    modules="${modules}load_module /usr/lib/nginx/modules/$module.so;\n"
done
sed -i "s|^# setup custom paths|$modules&|" "$template"

# Debian has no Lua in stream. The controller only needs that somebody takes the bytes which
# describe TCP and UDP services (we use neither): a port that passes them to the status server.
must_have '^stream {'
cat >/tmp/stream <<'BLOCK'
stream {
    server {
        listen 127.0.0.1:{{ .StreamPort }};
        proxy_pass 127.0.0.1:{{ .StatusPort }};
    }
}
BLOCK
sed -i -e '/^stream {/,/^}/{/^}/r /tmp/stream' -e 'd}' "$template"
must_have 'proxy_pass 127.0.0.1'
must_have 'define "SERVER"'
rm /tmp/stream

# Debian keeps some resty libraries where this configuration does not look.
for library in cookie string dns; do
    for kept in "/usr/share/lua/5.1/nginx/$library" "/usr/share/lua/5.1/nginx/$library.lua"; do
        [ ! -e "$kept" ] || ln -sfn "$kept" "/etc/nginx/lua/resty/$(basename "$kept")"
    done
done

mkdir -p /etc/ingress-controller/ssl /etc/ingress-controller/auth \
    /etc/ingress-controller/telemetry /etc/ingress-controller/geoip /tmp/nginx
ln -sfn /usr/sbin/nginx /usr/bin/nginx
ln -sf /dev/stdout /var/log/nginx/access.log
ln -sf /dev/stderr /var/log/nginx/error.log
