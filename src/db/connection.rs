//! A connection, which knows the schema of its transactions.

use std::ops::{Deref, DerefMut};

use deadpool_postgres::{ClientWrapper, Object};
use tokio_postgres::Client;

use super::name::SchemaName;

/// A connection. Each of its transactions begins with the settings of [`super::Limits`].
pub struct Connection {
    client: Place,
    pub schema: SchemaName,
}

enum Place {
    Pooled(Object),
    Alone(ClientWrapper),
}

impl Connection {
    pub fn pooled(client: Object, schema: SchemaName) -> Self {
        Self { client: Place::Pooled(client), schema }
    }

    /// This connection outside the pool, so that dropping it closes it.
    pub fn alone(self) -> Self {
        let client = match self.client {
            Place::Pooled(client) => Object::take(client),
            Place::Alone(client) => client,
        };
        Self { client: Place::Alone(client), ..self }
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        match &self.client {
            Place::Pooled(client) => client,
            Place::Alone(client) => client,
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        match &mut self.client {
            Place::Pooled(client) => client,
            Place::Alone(client) => client,
        }
    }
}
