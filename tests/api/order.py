"""Delivers the order that the document's examples name, signed as WooCommerce signs it: order.py URL SECRET."""

import base64
import hashlib
import hmac
import json
import sys
import urllib.request

url, secret = sys.argv[1:]
with open("fixtures/woocommerce/02-paid-order-one-token/003-order.updated/body.bin", encoding="utf-8") as file:
    order = json.load(file)
order.update(id=29, number="29", customer_id=17)
order["line_items"][0]["id"] = 12
body = json.dumps(order).encode()
signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
headers = {"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Signature": signature}
# Straight to the daemon, whatever proxy this machine names.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with opener.open(urllib.request.Request(f"{url}/webhooks/woocommerce/shop", body, headers), timeout=10) as answer:
    told = json.load(answer)
assert told["result"] == "granted", told
