-- Debian has no such library. It serves global rate limiting over memcached,
-- which no Ingress of ours asks for; whoever does is told so instead of served wrongly.
return {
  new = function()
    error("resty.global_throttle is not part of this image")
  end,
}
