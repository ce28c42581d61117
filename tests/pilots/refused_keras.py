# Refused before the run, from its imports: keras.

# %%
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

# %%
df = pd.read_csv('Telco-Churn.csv')
df = df[df.TotalCharges != ' ']
df['TotalCharges'] = pd.to_numeric(df['TotalCharges'])

# %%
df = df.drop('customerID', axis=1)
df = pd.get_dummies(df, drop_first=True)

# %%
X = df.drop('Churn_Yes', axis=1)
y = df['Churn_Yes']
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=5)

# %%
sc = StandardScaler()
X_train = sc.fit_transform(X_train)
X_test = sc.transform(X_test)

# %%
from tensorflow import keras

model = keras.Sequential([
    keras.layers.Dense(12, input_shape=(X_train.shape[1],), activation='relu'),
    keras.layers.Dense(1, activation='sigmoid'),
])
model.compile(optimizer='adam', loss='binary_crossentropy', metrics=['accuracy'])

# %%
model.fit(X_train, y_train, epochs=100, verbose=0)

# %%
model.evaluate(X_test, y_test)
