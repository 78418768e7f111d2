-- Debian has no such library. It serves consistent hashing (annotation upstream-hash-by, sticky sessions),
-- which no Ingress of ours asks for; whoever does is told so instead of served wrongly.
return {
  new = function()
    error("resty.chash is not part of this image")
  end,
}
