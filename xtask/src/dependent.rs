use crate::checkout::Checkout;
use crate::trouble::Result;
pub fn check(_: &Checkout) -> Result<()> { Ok(()) }
