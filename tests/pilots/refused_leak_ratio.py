# Refused: an input is computed from the target (price per carat).

# %%
import pandas as pd
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

# %%
df = pd.read_csv('diamonds.csv', index_col=0)
df.head()

# %%
df = df[df['z'] > 0]
df['price_per_carat'] = df['price'] / df['carat']
df.groupby('cut')['price_per_carat'].median()

# %%
df = df[df['price_per_carat'] < 20000]

# %%
X = df[['carat', 'depth', 'table', 'price_per_carat']]
y = df['price']
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=9)

# %%
lr = LinearRegression().fit(X_train, y_train)
print(r2_score(y_test, lr.predict(X_test)))
