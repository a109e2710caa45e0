/** A real WooCommerce with two orders in it, for the screens of the shop's staff. */
import { createHmac } from "node:crypto";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the recorded shop signs its deliveries with. */
const SECRET = "lab-webhook-secret-not-a-real-one";

/** Sets it up with orders kept in its own tables (`hpos`) or as posts, and puts the orders in. */
export async function prepareOrders(site, storage) {
  const script = (name) => fileURLToPath(new URL(name, import.meta.url));
  await copyFile(script("../lab-shop.php"), join(site.root, "wp-content/mu-plugins/nivella-lab-shop.php"));
  await site.wp("eval-file", script("staff-shop.php"), storage);
  const printed = await site.wp("eval-file", script("staff-orders.php"));
  return JSON.parse(printed.split("\n").pop());
}

/** Tells the daemon of an order as WooCommerce would. */
export async function tellOrder(daemon, body) {
  const text = JSON.stringify(body);
  const answer = await fetch(`${daemon.url}/webhooks/woocommerce/lab`, {
    method: "POST",
    body: text,
    headers: {
      "content-type": "application/json",
      "x-wc-webhook-topic": "order.updated",
      "x-wc-webhook-resource": "order",
      "x-wc-webhook-event": "updated",
      "x-wc-webhook-source": "http://127.0.0.1:8088/",
      "x-wc-webhook-signature": createHmac("sha256", SECRET).update(text).digest("base64"),
      "x-wc-webhook-id": "1",
      "x-wc-webhook-delivery-id": `staff-${body.id}`,
    },
  });
  if (!answer.ok) throw new Error(`the order was answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}
