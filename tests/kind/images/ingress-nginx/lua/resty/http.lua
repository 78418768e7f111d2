-- Debian has no such library. It serves fetching OCSP responses for certificates,
-- which no Ingress of ours asks for; whoever does is told so instead of served wrongly.
return {
  new = function()
    error("resty.http is not part of this image")
  end,
}
