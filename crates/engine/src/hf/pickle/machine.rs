//! The stack machine: one method per instruction, all state in flat lists.

use std::collections::HashMap;

use safetensors::Dtype;

use super::names::{Global, printable};
use super::opcode as op;
use super::{PickleError, TensorSpec};

/// PyTorch's own limit of dimensions.
const MAX_DIMENSIONS: usize = 64;

/// More tensors than this, or names of some, are taken for an attempt to exhaust memory.
pub(super) const MAX_TENSORS: usize = 100_000;

/// A value on the machine's stack; containers are numbers into the machine's lists.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    None,
    Bool,
    Int(i64),
    Text(&'a str),
    Tuple(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
}

#[derive(Debug, Clone, Copy)]
struct Storage<'a> {
    key: &'a str,
    /// `None`: untyped, `numel` counts bytes.
    dtype: Option<Dtype>,
    numel: usize,
}

/// Reads one pickle; [`Machine::run`] returns what it builds.
#[derive(Default)]
pub(super) struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack where a MARK was set.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    tuples: Vec<Vec<Value<'a>>>,
    pub(super) dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    storages: Vec<Storage<'a>>,
    pub(super) tensors: Vec<TensorSpec<'a>>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(input: &'a [u8]) -> Machine<'a> {
        Machine { input, ..Machine::default() }
    }

    pub(super) fn run(&mut self) -> Result<Value<'a>, PickleError> {
        loop {
            match self.byte()? {
                op::PROTO => self.skip(1)?,
                op::FRAME => self.skip(8)?,
                op::STOP => return self.pop(),
                op::MARK => self.marks.push(self.stack.len()),
                op::POP => drop(self.pop()?),
                op::NONE => self.stack.push(Value::None),
                op::NEWTRUE | op::NEWFALSE => self.stack.push(Value::Bool),
                op::BININT => {
                    let value = i32::from_le_bytes(self.array()?);
                    self.stack.push(Value::Int(value.into()));
                }
                op::BININT1 => self.integer::<1>()?,
                op::BININT2 => self.integer::<2>()?,
                op::LONG1 => self.long()?,
                op::SHORT_BINUNICODE => self.text::<1>()?,
                op::BINUNICODE => self.text::<4>()?,
                op::BINUNICODE8 => self.text::<8>()?,
                op::EMPTY_TUPLE => self.tuple(self.stack.len())?,
                op::TUPLE1 => self.tuple_of(1)?,
                op::TUPLE2 => self.tuple_of(2)?,
                op::TUPLE3 => self.tuple_of(3)?,
                op::TUPLE => {
                    let mark = self.mark()?;
                    self.tuple(mark)?;
                }
                op::EMPTY_DICT => self.new_dict(),
                op::SETITEM => self.set_items(self.stack.len().saturating_sub(2))?,
                op::SETITEMS => {
                    let mark = self.mark()?;
                    self.set_items(mark)?;
                }
                op::BINPUT => self.put::<1>()?,
                op::LONG_BINPUT => self.put::<4>()?,
                op::MEMOIZE => {
                    let slot = u32::try_from(self.memo.len()).map_err(|_| self.damaged("too many memo entries"))?;
                    self.memoize(slot)?;
                }
                op::BINGET => self.recall::<1>()?,
                op::LONG_BINGET => self.recall::<4>()?,
                op::GLOBAL => {
                    let module = self.line()?;
                    let name = self.line()?;
                    self.global(module, name)?;
                }
                op::STACK_GLOBAL => match (self.pop()?, self.pop()?) {
                    (Value::Text(name), Value::Text(module)) => self.global(module, name)?,
                    _ => return Err(self.damaged("a name is not a text")),
                },
                op::BINPERSID => self.persistent_id()?,
                op::REDUCE => self.reduce()?,
                op::BUILD => self.build()?,
                other => return Err(PickleError::Refused(op::describe(other))),
            }
        }
    }

    fn damaged(&self, problem: &'static str) -> PickleError {
        PickleError::Damaged { at: self.at, problem }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let bytes = rest.get(..length).ok_or_else(|| self.damaged("it ends too early"))?;
        self.at += length;
        Ok(bytes)
    }

    fn skip(&mut self, length: usize) -> Result<(), PickleError> {
        self.take(length).map(drop)
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// An unsigned little-endian number of `N` ≤ 8 bytes.
    fn unsigned<const N: usize>(&mut self) -> Result<u64, PickleError> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(self.take(N)?);
        Ok(u64::from_le_bytes(wide))
    }

    fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| self.damaged("it ends too early"))?;
        let line = self.take(length)?;
        self.skip(1)?;
        std::str::from_utf8(line).map_err(|_| self.damaged("a name is not UTF-8"))
    }

    fn pop(&mut self) -> Result<Value<'a>, PickleError> {
        // Never below the last mark, which Python forbids too.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.damaged("its stack is empty"));
        }
        self.stack.pop().ok_or_else(|| self.damaged("its stack is empty"))
    }

    fn mark(&mut self) -> Result<usize, PickleError> {
        self.marks.pop().ok_or_else(|| self.damaged("a mark is missing"))
    }

    /// The stack above `height`, removed from it.
    fn above(&mut self, height: usize) -> Result<Vec<Value<'a>>, PickleError> {
        if height < self.marks.last().copied().unwrap_or(0) || height > self.stack.len() {
            return Err(self.damaged("its stack is too short"));
        }
        Ok(self.stack.split_off(height))
    }

    fn integer<const N: usize>(&mut self) -> Result<(), PickleError> {
        let value = i64::try_from(self.unsigned::<N>()?).map_err(|_| self.damaged("a number is too large"))?;
        self.stack.push(Value::Int(value));
        Ok(())
    }

    /// A signed little-endian number of up to 8 bytes.
    fn long(&mut self) -> Result<(), PickleError> {
        let length = usize::from(self.byte()?);
        let bytes = self.take(length)?;
        if length > 8 {
            return Err(self.damaged("a number is too large"));
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..length].copy_from_slice(bytes);
        self.stack.push(Value::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn text<const N: usize>(&mut self) -> Result<(), PickleError> {
        let length = usize::try_from(self.unsigned::<N>()?).map_err(|_| self.damaged("a text is too long"))?;
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.damaged("a text is not UTF-8"))?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn tuple(&mut self, height: usize) -> Result<(), PickleError> {
        let items = self.above(height)?;
        self.tuples.push(items);
        self.stack.push(Value::Tuple(self.tuples.len() - 1));
        Ok(())
    }

    fn tuple_of(&mut self, length: usize) -> Result<(), PickleError> {
        let height = self.stack.len().checked_sub(length).ok_or_else(|| self.damaged("its stack is too short"))?;
        self.tuple(height)
    }

    fn new_dict(&mut self) {
        self.dicts.push(Vec::new());
        self.stack.push(Value::Dict(self.dicts.len() - 1));
    }

    fn set_items(&mut self, height: usize) -> Result<(), PickleError> {
        let items = self.above(height)?;
        let Some(Value::Dict(id)) = self.stack.last() else { return Err(self.damaged("items without a dictionary")) };
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.damaged("a key without a value"));
        }
        self.dicts[*id].extend(pairs.iter().map(|[key, value]| (*key, *value)));
        Ok(())
    }

    fn memoize(&mut self, slot: u32) -> Result<(), PickleError> {
        let value = self.stack.last().copied().ok_or_else(|| self.damaged("its stack is empty"))?;
        self.memo.insert(slot, value);
        Ok(())
    }

    fn put<const N: usize>(&mut self) -> Result<(), PickleError> {
        let slot = self.slot::<N>()?;
        self.memoize(slot)
    }

    fn recall<const N: usize>(&mut self) -> Result<(), PickleError> {
        let slot = self.slot::<N>()?;
        let value = self.memo.get(&slot).copied().ok_or_else(|| self.damaged("a memo entry is missing"))?;
        self.stack.push(value);
        Ok(())
    }

    fn slot<const N: usize>(&mut self) -> Result<u32, PickleError> {
        u32::try_from(self.unsigned::<N>()?).map_err(|_| self.damaged("a memo entry is missing"))
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), PickleError> {
        let global = Global::resolve(module, name)
            .ok_or_else(|| PickleError::Refused(printable(&format!("{module}.{name}"))))?;
        self.stack.push(Value::Global(global));
        Ok(())
    }

    /// `("storage", class, key, device, numel)`.
    fn persistent_id(&mut self) -> Result<(), PickleError> {
        let Value::Tuple(id) = self.pop()? else { return Err(self.damaged("a storage is not described")) };
        let [Value::Text("storage"), Value::Global(class), Value::Text(key), Value::Text(_), Value::Int(numel)] =
            self.tuples[id][..]
        else {
            return Err(self.damaged("a storage is not described"));
        };
        let dtype = match class {
            Global::Storage(dtype) => Some(dtype),
            Global::UntypedStorage => None,
            _ => return Err(self.damaged("a storage has no element type")),
        };
        let numel = usize::try_from(numel).map_err(|_| self.damaged("a storage has a negative size"))?;
        self.storages.push(Storage { key, dtype, numel });
        self.stack.push(Value::Storage(self.storages.len() - 1));
        Ok(())
    }

    /// Calls what is on the stack with the arguments above it; only the known names can be there.
    fn reduce(&mut self) -> Result<(), PickleError> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let (Value::Global(callable), Value::Tuple(id)) = (callable, arguments) else {
            return Err(PickleError::Refused("a call of something that is not a name".to_owned()));
        };
        match (callable, &self.tuples[id][..]) {
            (Global::OrderedDict, []) => self.new_dict(),
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => {
                let tensor = *tensor;
                self.stack.push(tensor);
            }
            (Global::RebuildTensor, [Value::Storage(storage), Value::Int(offset), size, stride, ..]) => {
                self.tensor(*storage, None, *offset, *size, *stride)?;
            }
            (
                Global::RebuildTypedTensor,
                [
                    Value::Storage(storage),
                    Value::Int(offset),
                    size,
                    stride,
                    _,
                    _,
                    Value::Global(Global::Dtype(dtype)),
                    ..,
                ],
            ) => self.tensor(*storage, Some(*dtype), *offset, *size, *stride)?,
            _ => return Err(self.damaged("a call with arguments that do not fit")),
        }
        Ok(())
    }

    fn tensor(
        &mut self,
        storage: usize,
        dtype: Option<Dtype>,
        offset: i64,
        size: Value<'a>,
        stride: Value<'a>,
    ) -> Result<(), PickleError> {
        let storage = self.storages[storage];
        let dtype = dtype.or(storage.dtype).ok_or_else(|| self.damaged("a tensor has no element type"))?;
        let unit = storage.dtype.map_or(1, |dtype| dtype.bitsize() / 8);
        let (shape, strides) = (self.sizes(size)?, self.sizes(stride)?);
        if shape.len() != strides.len() {
            return Err(self.damaged("a tensor's strides do not fit its shape"));
        }
        if self.tensors.len() == MAX_TENSORS {
            return Err(self.damaged("it has too many tensors"));
        }
        self.tensors.push(TensorSpec {
            dtype,
            storage: storage.key,
            storage_bytes: storage.numel.checked_mul(unit).ok_or_else(|| self.damaged("a storage is too large"))?,
            offset: usize::try_from(offset).map_err(|_| self.damaged("a tensor's offset is negative"))?,
            shape,
            strides,
        });
        self.stack.push(Value::Tensor(self.tensors.len() - 1));
        Ok(())
    }

    /// A tuple of at most 64 numbers, none negative.
    fn sizes(&self, value: Value<'a>) -> Result<Vec<usize>, PickleError> {
        let Value::Tuple(id) = value else { return Err(self.damaged("a shape is not a tuple")) };
        let items = &self.tuples[id];
        if items.len() > MAX_DIMENSIONS {
            return Err(self.damaged("a tensor has too many dimensions"));
        }
        let size = |item: &Value<'a>| match item {
            Value::Int(size) => usize::try_from(*size).ok(),
            _ => None,
        };
        items.iter().map(|item| size(item).ok_or_else(|| self.damaged("a shape is not made of sizes"))).collect()
    }

    /// Attributes of a dictionary (`_metadata` of a state dict) are dropped; nothing else may have any.
    fn build(&mut self) -> Result<(), PickleError> {
        let state = self.pop()?;
        match (self.stack.last(), state) {
            (Some(Value::Dict(_)), Value::Dict(_)) => Ok(()),
            _ => Err(PickleError::Refused("attributes set on an object".to_owned())),
        }
    }
}
