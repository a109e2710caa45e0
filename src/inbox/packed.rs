//! Raw bodies as they are kept: packed.
//!
//! A shop's deliveries say the same words over and over, so they are packed with LZ4 and a text that has those words:
//! a quarter of the bytes is left. The first byte says how, so that every version reads what an earlier one wrote; a
//! text that was used once stays for good.

/// What a body looks like: no person, no shop.
const TYPICAL: &[u8] = include_bytes!("typical.txt");

/// As it came.
const PLAIN: u8 = 0;
/// LZ4, with [`TYPICAL`] before it.
const LZ4_TYPICAL: u8 = 1;

/// A body as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed(Vec<u8>);

impl Packed {
    /// Packs a body. This needs no database, so it is done before the writer has it.
    #[must_use]
    pub fn new(body: &[u8]) -> Self {
        let mut packed = vec![LZ4_TYPICAL; 1 + lz4_flex::block::get_maximum_output_size(body.len())];
        match lz4_flex::block::compress_into_with_dict(body, &mut packed[1..], TYPICAL) {
            Ok(length) if length < body.len() => packed.truncate(1 + length),
            _ => {
                packed.clear();
                packed.push(PLAIN);
                packed.extend_from_slice(body);
            }
        }
        Self(packed)
    }

    /// What is kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Says how long it is: what is in it is somebody's.
impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({} bytes)", self.0.len())
    }
}

/// The body of `size` bytes that was kept as `kept`; nothing if that is not what was kept.
pub(super) fn unpack(kept: &[u8], size: i64) -> Option<Vec<u8>> {
    let size = usize::try_from(size).ok()?;
    let body = match kept.split_first()? {
        (&PLAIN, body) => body.to_vec(),
        (&LZ4_TYPICAL, packed) => lz4_flex::block::decompress_with_dict(packed, size, TYPICAL).ok()?,
        _ => return None,
    };
    (body.len() == size).then_some(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(body: &[u8]) -> Packed {
        let packed = Packed::new(body);
        let size = i64::try_from(body.len()).unwrap();
        assert_eq!(unpack(packed.bytes(), size).as_deref(), Some(body));
        assert!(packed.bytes().len() <= body.len() + 1, "it grew");
        packed
    }

    #[test]
    fn an_order_takes_a_quarter_and_anything_comes_back_as_it_was() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/woocommerce");
        let order = std::fs::read(folder.join("02-paid-order-one-token/003-order.updated/body.bin")).unwrap();
        assert!(kept(&order).bytes().len() * 4 < order.len());
        for body in [&b""[..], b"x", b"{}", TYPICAL, &vec![0; 100_000]] {
            kept(body);
        }
    }

    #[test]
    fn what_was_packed_once_is_read_for_good() {
        let id = [&[LZ4_TYPICAL, 0x80][..], b"{\"id\":27"].concat();
        assert_eq!(unpack(&id, 8).as_deref(), Some(&b"{\"id\":27"[..]));
        for (kept, size) in [(&b""[..], 0), (b"\x02x", 1), (b"\x00x", 2), (b"\x00x", -1), (b"\x01\xff", 9)] {
            assert_eq!(unpack(kept, size), None, "{kept:?}");
        }
    }

    proptest! {
        #[test]
        fn every_body_comes_back(body: Vec<u8>, cut in 0..TYPICAL.len(), other in ".*") {
            kept(&body);
            kept(&[&TYPICAL[cut..], other.as_bytes(), &body].concat());
        }

        #[test]
        fn nothing_else_can_do_harm(kept: Vec<u8>, size in 0..5_000_i64) {
            let found = unpack(&kept, size);
            prop_assert!(found.is_none_or(|body| i64::try_from(body.len()) == Ok(size)));
        }
    }
}
